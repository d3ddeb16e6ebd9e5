"""The hand-written modules agree with PyTorch for any stack of layers, and let go of what they remember."""

import gc
import math
import weakref

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from lesson13.backward import add_grad
from lesson13.modules import (
    Checkpoint,
    Linear,
    Model,
    Module,
    MSELoss,
    ReLU,
    Sequential,
    Sigmoid,
    Tanh,
    zero_grad,
)

ACTIVATIONS = {ReLU: torch.relu, Tanh: torch.tanh, Sigmoid: torch.sigmoid}
quick = settings(max_examples=60, deadline=None, derandomize=True, database=None)


def double(*shape, generator):
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


@st.composite
def stacks(draw, n_in=None):
    """(layers, n_in): depth 1-6, sizes 1-9, now and then a layer object again, or two layers around one w or b."""
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))
    n_in = size = n_in or draw(st.integers(1, 9))
    layers = []
    for _ in range(draw(st.integers(1, 6))):
        kind = draw(st.sampled_from(["linear", "again", "tied", *ACTIVATIONS]))
        usable = [layer for layer in layers if isinstance(layer, Linear) and layer.w.shape[0] == size]
        if kind in ("again", "tied") and usable:
            old = draw(st.sampled_from(usable))
            layer = (
                old
                if kind == "again"
                else Linear.from_weights(old.w, double(len(old.b), generator=generator))
            )
        elif kind in ACTIVATIONS:
            layer = next((old for old in layers if type(old) is kind and draw(st.booleans())), kind())
        else:
            n_out = draw(st.sampled_from([size, draw(st.integers(1, 9))]))
            layer = Linear.from_weights(
                double(size, n_out, generator=generator), double(n_out, generator=generator)
            )
        layers.append(layer)
        size = layer.w.shape[1] if isinstance(layer, Linear) else size
    return layers, n_in, generator


def reference(layers, x, leaves):
    """The same layers on PyTorch's leaves: one leaf for each tensor object."""
    for layer in layers:
        if isinstance(layer, Linear):
            w, b = (leaves.setdefault(id(t), t.detach().clone().requires_grad_()) for t in (layer.w, layer.b))
            x = x @ w + b
        else:
            x = ACTIVATIONS[type(layer)](x)
    return x


def assert_same(tensors, leaves):
    for t in tensors:
        torch.testing.assert_close(t.g, leaves[id(t)].grad, rtol=1e-9, atol=1e-9)


@quick
@given(stacks(), st.integers(1, 7), st.booleans(), st.booleans())
def test_random_stacks_agree_with_pytorch(stack, n, nested, checkpointed):
    layers, n_in, generator = stack
    x = double(n, n_in, generator=generator)
    leaves = {}
    leaf = leaves[id(x)] = x.clone().requires_grad_()
    out = reference(layers, leaf, leaves)
    target = double(*out.shape, generator=generator)

    half = len(layers) // 2
    parts = [Sequential(*part) for part in (layers[:half], layers[half:]) if part]
    parts = [Checkpoint(part) for part in parts] if checkpointed else parts
    model, loss_fn = Sequential(*parts) if nested or checkpointed else Sequential(*layers), MSELoss()
    assert {id(p) for p in model.parameters()} == leaves.keys() - {id(x)}
    assert len(model.parameters()) == len(leaves) - 1

    for clear in (True, False, True):  # gradients of an earlier pass: none, added to, cleared
        out = reference(layers, leaf, leaves)
        if clear:
            zero_grad(x, *model.parameters())
            for t in leaves.values():
                t.grad = None
        right = F.mse_loss(out, target)
        right.backward()
        loss = loss_fn(model(x), target)
        loss_fn.backward()
        Sequential(*layers)(x + 1)  # another call of the same layers comes between
        model.backward()
        torch.testing.assert_close(loss, right.detach(), rtol=1e-9, atol=1e-9)
        assert_same([x, *model.parameters()], leaves)


@quick
@given(st.integers(1, 9).flatmap(lambda n_in: st.tuples(stacks(n_in), stacks(n_in))), st.integers(1, 7))
def test_shared_input_of_two_branches(pair, n):
    (first, n_in, generator), (second, _, _) = pair
    x = double(n, n_in, generator=generator)
    weights = {layer.w.shape: layer.w for layer in first if isinstance(layer, Linear)}
    second = [
        Linear.from_weights(weights.get(layer.w.shape, layer.w), layer.b)
        if isinstance(layer, Linear)
        else layer
        for layer in second
    ]
    leaf, total = x.clone().requires_grad_(), 0
    leaves = {id(x): leaf}
    models = [Sequential(*first), Sequential(*second)]
    losses = [MSELoss(), MSELoss()]
    for layers, model, loss_fn in zip((first, second), models, losses, strict=True):
        out = reference(layers, leaf, leaves)
        total = total + out.square().mean()
        loss_fn(model(x), torch.zeros_like(out))
    total.backward()
    for model, loss_fn in zip(models, losses, strict=True):
        loss_fn.backward()
        model.backward()
    assert_same([x, *models[0].parameters(), *models[1].parameters()], leaves)


def test_single_layers_share_weights_and_inputs_without_a_container():
    w, b, x = torch.randn(3, 3), torch.randn(3), torch.randn(4, 3)
    left, right, bend, loss_fn = Linear.from_weights(w, b), Linear.from_weights(w, b), ReLU(), MSELoss()
    target = torch.randn(4, 3)
    for _ in range(2):
        zero_grad(w, b, x)
        loss_fn(right(bend(left(x))), target)
        for layer in (loss_fn, right, bend, left):
            layer.backward()
            MSELoss()(torch.ones(2), torch.ones(2))  # a call of something else, in the middle of a pass
    leaf, inp = w.clone().requires_grad_(), x.clone().requires_grad_()
    F.mse_loss((inp @ leaf + b).relu() @ leaf + b, target).backward()
    torch.testing.assert_close(w.g, leaf.grad)
    torch.testing.assert_close(x.g, inp.grad)


class Identity(Module):
    def forward(self, x):
        return x

    def bwd(self, out, x):
        add_grad(x, out.g)


@pytest.mark.parametrize("wrapped", [False, True], ids=["alone", "checkpointed"])
def test_a_sequential_without_layers_hands_on_what_arrives(wrapped):
    for inside in (Sequential(), Sequential(Sequential(), Tanh(), Sequential())):
        model, x = Checkpoint(inside) if wrapped else inside, torch.zeros(3)
        out = model(x)
        assert out is not x and torch.equal(out, x)
        out.g = torch.tensor([1.0, 2.0, 3.0])
        model.backward()
        assert torch.equal(x.g, torch.tensor([1.0, 2.0, 3.0])), "the slope of tanh at 0 is 1"


class Residual(Module):
    def __init__(self, block):
        self.block = block

    def forward(self, x):
        return x + self.block(x)

    def bwd(self, out, x):
        self.block.out.g = out.g
        add_grad(x, out.g)
        self.block.backward()


def test_a_module_that_hands_its_input_through():
    generator = torch.Generator().manual_seed(0)
    w, x = double(3, 3, generator=generator), double(2, 3, generator=generator).abs()
    layer = Linear.from_weights(w, torch.zeros(3, dtype=torch.float64))
    model = Sequential(
        Identity(), Residual(Sequential(layer, Identity(), Tanh())), Identity(), ReLU(), ReLU()
    )
    leaf, inp = w.clone().requires_grad_(), x.clone().requires_grad_()
    out = (inp + (inp @ leaf).tanh()).relu().relu()
    assert (out > 0).sum() >= 3, "a gradient must come through"
    out.square().mean().backward()
    loss_fn = MSELoss()
    loss_fn(model(x), torch.zeros(2, 3, dtype=torch.float64))
    loss_fn.backward()
    model.backward()
    torch.testing.assert_close(w.g, leaf.grad)
    torch.testing.assert_close(x.g, inp.grad)


class Doubled(Sequential):
    def forward(self, x):
        self.inner = super().forward(x)
        return 2 * self.inner

    def bwd(self, out, x):
        self.inner.g = 2 * out.g
        super().bwd(out, x)


def test_a_sequential_with_rules_of_its_own_twice_in_a_row():
    lin, x = Linear(3, 3, seed=3), torch.ones(4, 3)
    block = Doubled(lin, Tanh())
    model = Sequential(block, block)
    model(x).g = torch.ones(4, 3)
    model.backward()
    leaf = lin.w.clone().requires_grad_()
    (2 * (2 * (x @ leaf).tanh() @ leaf).tanh()).sum().backward()
    torch.testing.assert_close(lin.w.g, leaf.grad)


def test_a_layer_called_twice_outside_a_sequential_remembers_its_last_call_only():
    bare = Tanh()
    bare(bare(torch.ones(2))).g = torch.ones(2)
    bare.backward()
    with pytest.raises(RuntimeError, match="no call to go back through"):
        bare.backward()
    twice = Sequential(block := Residual(Linear(2, 2, seed=0)), block)  # the block inside is one object
    twice(torch.ones(3, 2)).g = torch.ones(3, 2)
    with pytest.raises((RuntimeError, AttributeError)):
        twice.backward()


def test_weighted_losses():
    layer, x = Linear(2, 1, seed=0), torch.randn(3, 2)
    pred = layer(x)
    losses = [MSELoss(), MSELoss()]
    for loss_fn, weight, goal in zip(losses, (0.3, 2.0), (1.0, -1.0), strict=True):
        loss_fn(pred, torch.full((3,), goal)).g = weight
    for loss_fn in losses:
        loss_fn.backward()
    layer.backward()
    leaf = layer.w.clone().requires_grad_()
    out = (x @ leaf + layer.b).squeeze(1)
    (0.3 * (out - 1).square().mean() + 2 * (out + 1).square().mean()).backward()
    torch.testing.assert_close(layer.w.g, leaf.grad)


def test_relu_treats_special_values_as_pytorch_does():
    x = torch.tensor([0.0, -0.0, math.inf, -math.inf, 1.0])
    relu = ReLU()
    relu(x).g = torch.tensor([1.0, 1.0, 2.0, math.inf, math.nan])
    out_g = relu.out.g
    relu.backward()
    leaf = x.clone().requires_grad_()
    leaf.relu().backward(out_g)
    torch.testing.assert_close(x.g, leaf.grad, equal_nan=True)


def lessons_own_code(Lin, Relu, Mse, Model, w1, b1, w2, b2, x, y):
    """Written against the lesson's interface: classes around tensors, gradients in `.g`, nothing ever cleared."""
    model = Model(w1, b1, w2, b2)
    results = []
    for _ in range(2):
        loss = model(x, y)
        model.backward()
        results.append([loss, w1.g, b1.g, w2.g, b2.g, x.g])

    class Handmade:
        def __init__(self, w1, b1, w2, b2):
            self.layers = [Lin(w1, b1), Relu(), Lin(w2, b2)]
            self.loss = Mse()

        def __call__(self, x, targ):
            for layer in self.layers:
                x = layer(x)
            return self.loss(x, targ)

        def backward(self):
            self.loss.backward()
            for layer in reversed(self.layers):
                layer.backward()

    fresh = [t.clone() for t in (w1, b1, w2, b2, x)]
    model = Handmade(*fresh[:4])
    loss = model(fresh[4], y)
    model.backward()
    return [*results, [loss, *(t.g for t in fresh)]]


def test_code_for_the_lessons_interface_runs():
    x, y = torch.randn(6, 4), torch.randn(6)
    params = torch.randn(4, 5), torch.randn(5), torch.randn(5, 1), torch.randn(1)
    results = lessons_own_code(Linear.from_weights, ReLU, MSELoss, Model, *params, x, y)
    leaves = [t.clone().requires_grad_() for t in (*params, x)]
    w1, b1, w2, b2, inp = leaves
    loss = F.mse_loss(((inp @ w1 + b1).relu() @ w2 + b2).squeeze(-1), y)
    loss.backward()
    for result in results:
        torch.testing.assert_close(result[0], loss.detach())
        for g, leaf in zip(result[1:], leaves, strict=True):
            torch.testing.assert_close(g, leaf.grad)


def network():
    return Sequential(Linear(784, 50, seed=0), ReLU(), Linear(50, 1, seed=1))


@pytest.mark.parametrize(
    "action, error, words",
    [
        (lambda: Linear(3, 2).backward(), RuntimeError, r"Linear\(3, 2\): backward\(\) has no call"),
        (lambda: network().backward(), RuntimeError, r"Sequential\(Linear\(784, 50\).*has no call"),
        (lambda: MSELoss().backward(), RuntimeError, r"MSELoss\(\).*run it forward first"),
        (lambda: MSELoss()(torch.ones(3, 1), torch.ones(4)), ValueError, r"\(3, 1\).*\(4,\)"),
        (lambda: MSELoss()(torch.ones(3, 1), torch.ones(1, 3)), ValueError, r"\(3, 1\).*\(1, 3\)"),
        (lambda: MSELoss()(torch.ones(3), torch.ones(3, 1)), ValueError, r"\(3,\).*\(3, 1\)"),
        (lambda: Linear.from_weights(torch.ones(2, 3), torch.ones(1)), ValueError, r"\(2, 3\).*\(1,\)"),
        (lambda: Linear.from_weights(torch.ones(2, 3), torch.ones(2, 3)), ValueError, r"b is \(2, 3\)"),
        (lambda: add_grad(torch.ones(3, 1), torch.ones(3)), ValueError, r"\(3,\).*\(3, 1\)"),
    ],
)
def test_what_would_be_silently_wrong_is_refused(action, error, words):
    with pytest.raises(error, match=words):
        action()


def test_order_of_calls():
    model, loss_fn = network(), MSELoss()
    out = model(torch.ones(3, 784))
    with pytest.raises(AttributeError, match="'g'"):  # the loss has not gone back yet
        model.backward()
    loss_fn(out, torch.ones(3))
    loss_fn.backward()
    model.backward()  # and now it can
    for used in (model, loss_fn):
        with pytest.raises(RuntimeError, match="no call to go back through"):
            used.backward()


def test_a_layer_whose_input_gradient_nobody_wants():
    model, loss_fn, x = network(), MSELoss(), torch.rand(3, 784)
    model.layers[0].input_grad = False
    loss_fn(model(x), torch.ones(3))
    loss_fn.backward()
    model.backward()
    assert not hasattr(x, "g") and model.layers[0].w.g.shape == (784, 50)


def test_after_a_pass_the_activations_are_free():
    for model in (network(), Sequential(Checkpoint(network()), Sequential(Tanh()))):
        loss_fn, seen = MSELoss(), []

        class Watched(Tanh):
            def forward(self, x, seen=seen):
                seen.append(weakref.ref(x))
                return super().forward(x)

        model.layers.append(Watched())
        gc.disable()
        try:
            for _ in range(3):
                x = torch.rand(3, 784)
                loss_fn(model(x), torch.ones(3))
                del x
                assert seen[-1]() is not None, "it is needed on the way back"
                loss_fn.backward()
                model.backward()
                assert all(ref() is None for ref in seen)
            for _ in range(2):  # evaluation: no backward; the next call lets go of the last one
                model(torch.rand(3, 784))
                assert [ref() is None for ref in seen] == [True] * (len(seen) - 1) + [False]
        finally:
            gc.enable()


def test_a_checkpoint_keeps_only_its_input():
    made = []

    class Watched(Tanh):
        def forward(self, x):
            made.append(weakref.ref(x))
            return super().forward(x)

    model, x = Sequential(Checkpoint(Sequential(Linear(3, 3, seed=0), Watched()))), torch.ones(2, 3)
    model(x).g = torch.ones(2, 3)
    assert made[0]() is None, "forward"
    model.backward()
    assert len(made) == 2 and made[1]() is None, "backward"
    assert x.g.shape == x.shape


def test_a_seed_gives_the_same_weights_and_leaves_the_generator_alone():
    torch.manual_seed(0)
    a = torch.rand(1)
    torch.manual_seed(0)
    first, second = Linear(3, 4, seed=7), Linear(3, 4, seed=7)
    Linear.from_weights(torch.ones(3, 4), torch.ones(4))
    assert torch.equal(first.w, second.w) and torch.equal(torch.rand(1), a)
    assert abs(Linear(500, 500, seed=1).w.std() - (2 / 500) ** 0.5) < 1e-3
    assert str(Linear(np.prod((8, 8)), np.int32(10))) == "Linear(64, 10)"


def test_parameters_are_those_of_now():
    model = Sequential(layer := Linear(2, 2, seed=0), Sequential(layer, Tanh()))
    model(torch.ones(3, 2))
    layer.w = layer.w - 0.1  # a new tensor, where the last call remembers the old one
    assert [id(p) for p in model.parameters()] == [id(layer.w), id(layer.b)]
    assert [id(p) for p in Checkpoint(model).parameters()] == [id(layer.w), id(layer.b)]

"""The hand-written modules agree with PyTorch for any stack of layers, and refuse what they cannot do."""

import gc
import math
import threading
import weakref

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

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
    add_grad,
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


def assert_same(layers, leaves):
    for layer in layers:
        for t in (layer.w, layer.b) if isinstance(layer, Linear) else ():
            torch.testing.assert_close(t.g, leaves[id(t)].grad, rtol=1e-9, atol=1e-9)


@quick
@given(stacks(), st.integers(1, 7), st.booleans(), st.booleans())
def test_random_stacks_agree_with_pytorch(stack, n, nested, checkpointed):
    layers, n_in, generator = stack
    x = double(n, n_in, generator=generator)
    leaves = {}
    leaf = x.clone().requires_grad_()
    out = reference(layers, leaf, leaves)
    target = double(*out.shape, generator=generator)
    torch.nn.functional.mse_loss(out, target).backward()

    half = len(layers) // 2
    parts = [Sequential(*part) for part in (layers[:half], layers[half:]) if part]
    parts = [Checkpoint(part) for part in parts] if checkpointed else parts
    model, loss_fn = Sequential(*parts) if nested or checkpointed else Sequential(*layers), MSELoss()
    for input_grad in (True, False):  # the second pass finds the gradients of the first
        loss = loss_fn(model(x), target)
        loss_fn.backward()
        model.backward(input_grad=input_grad)
        torch.testing.assert_close(loss, torch.nn.functional.mse_loss(out, target), rtol=1e-9, atol=1e-9)
        assert_same(layers, leaves)
        torch.testing.assert_close(x.g, leaf.grad, rtol=1e-9, atol=1e-9)


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
    leaves, leaf, total = {}, x.clone().requires_grad_(), 0
    models = [Sequential(*first), Sequential(*second)]
    losses = [MSELoss(), MSELoss()]
    for layers, model, loss_fn in zip((first, second), models, losses, strict=True):
        out = reference(layers, leaf, leaves)
        total = total + out.square().mean()
        loss_fn(model(x), torch.zeros_like(out))
    total.backward()
    for model, loss_fn in zip(
        models, losses, strict=True
    ):  # both backward passes follow both forward passes: one pass
        loss_fn.backward()
        model.backward(input_grad=True)
    assert_same([*first, *second], leaves)
    torch.testing.assert_close(x.g, leaf.grad, rtol=1e-9, atol=1e-9)


@quick
@given(stacks(), st.integers(2, 7))
def test_accumulate_adds_passes_and_a_new_pass_starts_afresh(stack, n):
    layers, n_in, generator = stack
    model, loss_fn, x = Sequential(*layers), MSELoss(), double(n, n_in, generator=generator)
    tensors = {id(t): t for layer in layers if isinstance(layer, Linear) for t in (layer.w, layer.b)}.values()

    def gradients(accumulate=False):
        out = model(x)
        loss_fn(out, torch.zeros_like(out))
        loss_fn.backward()
        with pytest.raises(RuntimeError, match="forward again"):
            loss_fn.backward()
        model.backward(accumulate=accumulate)
        return [t.g.clone() for t in tensors]

    once, twice, afresh = gradients(), gradients(accumulate=True), gradients()
    for a, b, c in zip(once, twice, afresh, strict=True):
        torch.testing.assert_close(b, 2 * a)
        assert torch.equal(a, c)


def test_single_layers_share_weights_and_inputs_without_a_container():
    w, b, x = torch.randn(3, 3), torch.randn(3), torch.randn(4, 3)
    left, right, bend, loss_fn = Linear.from_weights(w, b), Linear.from_weights(w, b), ReLU(), MSELoss()
    target = torch.randn(4, 3)
    for _ in range(2):
        loss_fn(right(bend(left(x))), target)
        for layer in (loss_fn, right, bend, left):
            layer.backward()
    leaf, inp = w.clone().requires_grad_(), x.clone().requires_grad_()
    torch.nn.functional.mse_loss((inp @ leaf + b).relu() @ leaf + b, target).backward()
    torch.testing.assert_close(w.g, leaf.grad)
    torch.testing.assert_close(x.g, inp.grad)

    out = left(x)
    again = right(x)
    out.g, again.g = torch.ones(4, 3), torch.ones(4, 3)
    right.backward()
    left.backward()
    torch.testing.assert_close(x.g, 2 * torch.ones(4, 3) @ w.T)


def test_a_module_that_hands_its_input_through():
    class Identity(Module):
        def forward(self, x):
            return x

        def bwd(self, out, x):
            add_grad(x, out.g)

    class Residual(Module):
        def __init__(self, block):
            self.block = block

        def forward(self, x):
            return x + self.block(x)

        def bwd(self, out, x):
            self.block.out.g = out.g
            add_grad(x, out.g)
            self.block.backward(input_grad=True)

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
    model.backward(input_grad=True)
    torch.testing.assert_close(w.g, leaf.grad)
    torch.testing.assert_close(x.g, inp.grad)


class Again(Module):
    """Computes its block a second time on the way back, and goes back through it with the public methods."""

    def __init__(self, block):
        self.block = block

    def forward(self, x):
        out = self.block(x)
        self.block.forget()
        return out

    def bwd(self, out, x):
        self.block(x).g = out.g
        self.block.backward(input_grad=True)


@pytest.mark.parametrize("kind", [Again, Checkpoint])
def test_a_call_or_a_backward_from_within_a_backward_stays_in_its_pass(kind):
    w, b = torch.randn(3, 3, dtype=torch.float64), torch.zeros(3, dtype=torch.float64)
    blocks = [kind(Sequential(Linear.from_weights(w, b), Tanh())) for _ in range(3)]
    model, loss_fn, x = Sequential(*blocks), MSELoss(), torch.randn(4, 3, dtype=torch.float64)
    leaf, target = w.clone().requires_grad_(), torch.zeros(4, 3, dtype=torch.float64)
    out = x
    for _ in blocks:
        out = (out @ leaf).tanh()
    out.square().mean().backward()
    for accumulate, times in ((False, 1), (True, 2), (True, 3), (False, 1)):
        loss_fn(model(x), target)
        loss_fn.backward()
        model.backward(accumulate=accumulate)
        torch.testing.assert_close(w.g, times * leaf.grad)


def test_accumulate_is_for_one_backward_and_ends_with_it_even_after_an_error():
    class Breaks(Module):
        def forward(self, x):
            return x * 1

        def bwd(self, out, x):
            raise ArithmeticError

    first, second, x = Linear(2, 1, seed=0), Linear(2, 1, seed=1), torch.randn(3, 2)
    for times in (1, 2, 3):
        for layer in (first, second):
            layer(x).g = torch.ones(3, 1)
        first.backward(accumulate=True)
        second.backward()  # its old gradient is replaced, though the other one's is kept
        torch.testing.assert_close(first.b.g, torch.tensor([3.0 * times]))
        assert torch.equal(second.b.g, torch.tensor([3.0]))
    wrong = Breaks()
    wrong(x).g = x
    with pytest.raises(ArithmeticError):
        wrong.backward(accumulate=True)
    first(x).g = torch.ones(3, 1)
    first.backward()
    assert torch.equal(first.b.g, torch.tensor([3.0]))


def in_thread(action):
    thread = threading.Thread(target=action)
    thread.start()
    thread.join()


def test_a_pass_belongs_to_its_thread():
    "Every other thread that runs here would change the sums if threads shared the count or `accumulate`."
    other, seen = Linear(2, 1, seed=1), []

    def elsewhere(accumulate):
        for _ in range(2):
            other(torch.ones(3, 2)).g = torch.ones(3, 1)
            other.backward(accumulate=accumulate)
        seen.append(other.b.g.item())

    class Meets(Tanh):  # on its way back another thread trains
        def bwd(self, out, x):
            in_thread(lambda: elsewhere(accumulate=False))
            super().bwd(out, x)

    tied = Linear(2, 2, seed=0)
    for meeting in (Tanh(), Meets()):
        for accumulate in (False, True):
            model = Sequential(tied, meeting, tied)
            model(torch.ones(3, 2)).g = torch.ones(3, 2)
            model.backward(accumulate=accumulate)
        seen.append(tied.w.g)
    assert torch.equal(seen[0], seen[-1])
    assert seen[1:-1] == [3.0, 3.0]


def test_going_back_in_another_thread_is_refused():
    layer, seen = Linear(2, 1, seed=1), []
    layer(torch.ones(3, 2)).g = torch.ones(3, 1)

    def back():
        with pytest.raises(RuntimeError, match="in another thread than the call"):
            layer.backward()
        seen.append(True)

    in_thread(back)
    layer.backward()
    assert seen and torch.equal(layer.b.g, torch.tensor([3.0]))


def test_a_loss_of_several_steps_starts_from_its_last_number():
    class Mean(Module):
        def forward(self, x):
            return x.mean()

        def bwd(self, out, x):
            add_grad(x, torch.full(x.shape, getattr(out, "g", 1.0) / x.numel()))

    class Root(Module):
        def forward(self, x):
            return x.sqrt()

        def bwd(self, out, x):
            add_grad(x, getattr(out, "g", 1.0) / (2 * out))

    four, model = torch.tensor([1.0, 3.0, 5.0, 7.0]), Sequential(Mean(), Root())
    model(four)
    model.backward(input_grad=True)
    torch.testing.assert_close(four.g, torch.full((4,), 1 / 16))


def test_a_sequential_with_a_call_of_its_own_is_called():
    class Counted(Sequential):
        n_calls = 0

        def __call__(self, x):
            self.n_calls += 1
            return super().__call__(x)

    inner = Counted(Linear(2, 2), Tanh())
    out = Sequential(inner, ReLU())(torch.ones(3, 2))
    assert inner.n_calls == 1 and torch.equal(torch.relu(inner.out), out)


class Block(Sequential):
    pass


class Doubled(Sequential):
    def forward(self, x):
        self.inner = super().forward(x)
        return 2 * self.inner

    def bwd(self, out, x):
        self.inner.g = 2 * out.g
        super().bwd(out, x)


def test_a_subclass_of_sequential_twice_in_a_row():
    results = []
    for kind in (Sequential, Block):
        lin = Linear(3, 3, seed=3)
        block = kind(lin, Tanh())
        model = Sequential(block, block)
        out = model(torch.ones(4, 3))
        out.g = torch.ones_like(out)
        model.backward()
        results.append(lin.w.g)
    assert torch.equal(*results)
    block = Doubled(lin)
    once, twice = Sequential(block), Sequential(block, block)
    once(torch.ones(4, 3)).g = torch.ones(4, 3)
    once.backward()
    torch.testing.assert_close(lin.b.g, torch.full((3,), 8.0))  # its own bwd was asked
    twice(torch.ones(4, 3)).g = torch.ones(4, 3)
    with pytest.raises(RuntimeError, match=r"Sequential\(Linear\(3, 3\)\): this call has no list left"):
        twice.backward()


def test_an_arriving_gradient_has_the_shape_of_the_output():
    for layer in (ReLU(), Tanh(), Sigmoid(), Linear(3, 3), Sequential(ReLU()), MSELoss()):
        out = layer(*[torch.ones(4, 3)] * (2 if isinstance(layer, MSELoss) else 1))
        for wrong in (torch.ones(3), torch.ones(4, 1), 1.0 if out.ndim else torch.ones(1)):
            out.g = wrong
            with pytest.raises(ValueError, match=r"out.g is \(.*\) but out is \("):
                layer.backward()
    loss_fn = MSELoss()
    loss_fn(torch.tensor(1.0), torch.tensor(3.0))  # one number, but a loss all the same
    loss_fn.backward()
    assert loss_fn.args[0].g == -4


def test_a_layer_that_passes_nothing_back_is_found_out():
    class Silent(Module):
        def forward(self, x):
            return x + 1

        def bwd(self, out, x):
            pass

    model = Sequential(Tanh(), Silent())
    model(torch.ones(2, 3)).g = torch.ones(2, 3)
    with pytest.raises(RuntimeError, match=r"^Tanh\(\): its output has no gradient yet"):
        model.backward()


def test_relu_has_slope_zero_at_zero_for_pytorch_too():
    zero = torch.zeros(1, requires_grad=True)
    ReLU()(zero).backward()
    assert zero.grad.item() == 0


def test_sizes_may_be_numpys_whole_numbers():
    assert str(Linear(np.prod((8, 8)), np.int32(10))) == "Linear(64, 10)"
    assert Linear(np.int64(3), 2, seed=0).w.dtype == torch.float32


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
    x = torch.tensor([0.0, -0.0, math.inf, -math.inf, math.nan, 1.0])
    relu = ReLU()
    out = relu(x)
    out.g = torch.tensor([1.0, 1.0, 2.0, math.inf, 3.0, math.nan])
    relu.backward()
    leaf = x.clone().requires_grad_()
    leaf.relu().backward(out.g)
    torch.testing.assert_close(x.g, leaf.grad, equal_nan=True)


def lessons_own_code(Lin, Relu, Mse, Model, w1, b1, w2, b2, x, y):
    """Written against the lesson's interface: classes around tensors, gradients in `.g`, two ways to the same network."""

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

    results = []
    for kind in (Handmade, Model):
        model = kind(w1, b1, w2, b2)
        loss = model(x, y)
        model.backward()
        results.append([loss, w1.g, b1.g, w2.g, b2.g, x.g, model.layers[1].out, model.loss.out])
    return results


def test_code_for_the_lessons_interface_runs():
    x, y = torch.randn(6, 4), torch.randn(6)
    params = torch.randn(4, 5), torch.randn(5), torch.randn(5, 1), torch.randn(1)
    results = lessons_own_code(Linear.from_weights, ReLU, MSELoss, Model, *params, x, y)
    leaves = [t.clone().requires_grad_() for t in (*params, x)]
    w1, b1, w2, b2, inp = leaves
    loss = torch.nn.functional.mse_loss(((inp @ w1 + b1).relu() @ w2 + b2).squeeze(-1), y)
    loss.backward()
    for result in results:
        torch.testing.assert_close(result[0], loss)
        for g, leaf in zip(result[1:6], leaves, strict=True):
            torch.testing.assert_close(g, leaf.grad)


def network():
    return Sequential(Linear(784, 50, seed=0), ReLU(), Linear(50, 1, seed=1))


floats = torch.ones(3, 784)


@pytest.mark.parametrize(
    "action, error, words",
    [
        (lambda: Linear(3, 2).backward(), RuntimeError, r"Linear\(3, 2\).*before forward"),
        (lambda: network().backward(), RuntimeError, r"Sequential\(Linear\(784, 50\).*before forward"),
        (
            lambda: Model(torch.ones(2, 2), torch.ones(2), torch.ones(2, 1), torch.ones(1)).backward(),
            RuntimeError,
            "Model",
        ),
        (lambda: MSELoss().backward(), RuntimeError, "MSELoss.*before forward"),
        (
            lambda: network()(torch.ones(3, 28, 28)),
            ValueError,
            r"Linear\(784, 50\): x is \(3, 28, 28\).*\(n, 784\)",
        ),
        (lambda: network()(torch.ones(784)), ValueError, r"Linear\(784, 50\): x is \(784,\)"),
        (lambda: Linear(50, 10)(torch.ones(3, 784)), ValueError, r"Linear\(50, 10\): x is \(3, 784\)"),
        (lambda: network()(floats.double()), TypeError, r"Linear\(784, 50\): x is torch.float64"),
        (lambda: network()(floats.int()), TypeError, r"Linear\(784, 50\): x holds torch.int32.*x.float\(\)"),
        (lambda: network()([[1.0] * 784]), TypeError, r"Linear\(784, 50\): x is a list"),
        (lambda: ReLU()(torch.tensor([1])), TypeError, r"ReLU\(\): x holds torch.int64"),
        (lambda: Tanh()(torch.tensor([True])), TypeError, r"Tanh\(\): x is torch.bool"),
        (lambda: Sigmoid()(0.5), TypeError, r"Sigmoid\(\): x is a float"),
        (lambda: MSELoss()(torch.ones(3, 1), torch.ones(4)), ValueError, r"\(3, 1\).*\(4,\)"),
        (lambda: MSELoss()(torch.ones(3, 1), torch.ones(1, 3)), ValueError, r"\(3, 1\).*\(1, 3\)"),
        (lambda: MSELoss()(torch.ones(3), torch.ones(3, 1)), ValueError, r"\(3,\).*\(3, 1\)"),
        (lambda: MSELoss()(torch.ones(0, 1), torch.ones(0)), ValueError, r"\(0, 1\): it is empty"),
        (lambda: MSELoss()(torch.ones(0, 2), torch.ones(0, 2)), ValueError, r"\(0, 2\): it is empty"),
        (lambda: MSELoss()(torch.ones(3, 1), torch.ones(3).double()), TypeError, "float64"),
        (
            lambda: MSELoss()(torch.ones(3, 1), torch.tensor([1, 2, 3])),
            TypeError,
            r"target is torch.int64.*\.float\(\)",
        ),
        (lambda: MSELoss()(torch.ones(3, 1), [1.0, 2.0, 3.0]), TypeError, "target is a list"),
        (lambda: MSELoss()(torch.ones(3, 1).long(), torch.ones(3)), TypeError, "output is torch.int64"),
        (lambda: Linear(0, 2), ValueError, r"Linear\(0, 2\): give two whole numbers"),
        (lambda: Linear(True, 2), ValueError, r"Linear\(True, 2\): give two whole numbers"),
        (lambda: Linear(64.0, 2), ValueError, r"Linear\(64.0, 2\): give two whole numbers"),
        (lambda: Linear(torch.ones(2, 2), torch.ones(2)), ValueError, "from_weights"),
        (lambda: Linear.from_weights(torch.ones(2, 3), torch.ones(2)), ValueError, r"\(2, 3\).*\(2,\)"),
        (lambda: Linear.from_weights(torch.ones(2, 3), torch.ones(3).double()), TypeError, "float64"),
        (lambda: Linear.from_weights(torch.ones(2, 3).int(), torch.ones(3)), TypeError, "w is torch.int32"),
        (lambda: Sequential(), ValueError, "at least one"),
        (lambda: Sequential([ReLU(), Tanh()]), TypeError, r"layer 0 is a list.*Sequential\(a, b\)"),
        (lambda: Sequential(ReLU(), torch.relu), TypeError, "layer 1"),
        (lambda: Checkpoint(ReLU()), TypeError, "Sequential"),
        (lambda: Module()(1), NotImplementedError, "forward"),
        (lambda: add_grad(torch.ones(3, 1), torch.ones(3)), ValueError, r"\(3,\).*\(3, 1\)"),
    ],
)
def test_wrong_use_says_what_came_and_what_was_expected(action, error, words):
    with pytest.raises(error, match=words):
        action()


def test_order_of_calls():
    model, loss_fn = network(), MSELoss()
    out = model(floats)
    with pytest.raises(RuntimeError, match="no gradient yet"):
        model.backward()
    loss_fn(out, torch.ones(3))
    loss_fn.backward()
    model.backward()
    with pytest.raises(RuntimeError, match="forward again"):
        model.backward()
    with pytest.raises(RuntimeError, match="forward again"):
        model.layers[0].backward()
    with pytest.raises(ValueError):
        model(torch.ones(3, 5))
    with pytest.raises(RuntimeError, match="before forward"):  # nothing of an earlier call is left
        model.backward()
    bare = ReLU()
    bare(bare(torch.ones(2))).g = torch.ones(2)
    bare.backward()
    with pytest.raises(
        RuntimeError, match="forward again"
    ):  # outside a Sequential only the last call is remembered
        bare.backward()


def test_the_data_gets_no_gradient_unless_asked_for():
    model, loss_fn, x = network(), MSELoss(), torch.rand(3, 784)
    loss_fn(model(x), torch.ones(3))
    loss_fn.backward()
    model.backward()
    assert not hasattr(x, "g")
    assert model.layers[0].input_grad, "the layer itself is as it was"


def test_memory_of_a_batch_lives_until_the_next_forward_only():
    model, loss_fn = network(), MSELoss()
    gc.disable()
    try:
        old = []
        for _ in range(3):
            x = torch.rand(3, 784)
            out = model(x)
            assert not any(ref() is not None for ref in old), "the batch before is still there"
            loss_fn(out, torch.ones(3))
            loss_fn.backward()
            model.backward()
            old = [
                weakref.ref(t) for t in (x, model.layers[0].out, model.layers[1].out, model.layers[0].out.g)
            ]
            del x, out
        for _ in range(3):  # evaluation: no backward at all
            model(torch.rand(3, 784))
            assert not any(ref() is not None for ref in old)
            old = [weakref.ref(model.layers[0].out)]
        model.forget()
        assert old[0]() is None
    finally:
        gc.enable()


def test_a_checkpoint_keeps_only_its_input():
    def inner(model):
        "What the block remembers of its call."
        return [layer.out for layer in block.layers if layer.out is not None] + block.calls

    block = Sequential(Linear(3, 3, seed=0), Tanh())
    checkpoint, x, made = Checkpoint(block), torch.ones(2, 3), []

    class Watched(Tanh):
        def forward(self, x):
            made.append(weakref.ref(x))
            return super().forward(x)

    block.layers[1] = Watched()
    model = Sequential(checkpoint)
    model(x).g = torch.ones(2, 3)
    assert inner(model) == [] and made[0]() is None, "forward"
    model.backward()
    assert inner(model) == [] and made[1]() is None, "backward"
    assert not hasattr(x, "g"), "the gradient of the data was left out"
    model(x).g = torch.ones(2, 3)
    model.backward(input_grad=True)
    assert x.g.shape == x.shape


def test_a_seed_gives_the_same_weights_and_leaves_the_generator_alone():
    torch.manual_seed(0)
    a = torch.rand(1)
    torch.manual_seed(0)
    first, second = Linear(3, 4, seed=7), Linear(3, 4, seed=7)
    assert torch.equal(first.w, second.w) and torch.equal(torch.rand(1), a)
    assert abs(Linear(500, 500, seed=1).w.std() - (2 / 500) ** 0.5) < 1e-3

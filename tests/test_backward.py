"""Gradients written by hand agree with PyTorch's, for shapes and values that hide mistakes."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from lesson13.autograd import Linear, LinearFunction, MSELoss, ReLU, ReLUFunction
from lesson13.backward import (
    add_grad,
    forward_and_backward,
    lin_grad,
    mse_grad,
    relu_grad,
)
from lesson13.forward import MLPParams, lin, mse, relu
from lesson13.tools.compare import compare_grads

TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-10}
SHAPES = [(6, 4, 5, 3), (1, 4, 5, 3), (7, 2, 3, 1), (1, 1, 1, 1), (3, 9, 2, 8), (64, 20, 10, 10)]


def network(n, n_in, n_hidden, n_out, dtype, seed=0, flat_target=False):
    "Random x, target and params."
    generator = torch.Generator().manual_seed(seed)
    shapes = [(n, n_in), (n, n_out), (n_in, n_hidden), (n_hidden,), (n_hidden, n_out), (n_out,)]
    x, target, *params = (torch.randn(shape, generator=generator, dtype=dtype) for shape in shapes)
    params[0], params[2] = params[0] / n_in**0.5, params[2] / n_hidden**0.5
    return x, target.squeeze(1) if flat_target else target, MLPParams(*params)


def pytorch(x, target, params):
    "Loss and gradients by PyTorch, in its own words."
    leaves = {id(t): t.detach().clone().requires_grad_() for t in (x, *params)}
    x, w1, b1, w2, b2 = (leaves[id(t)] for t in (x, *params))
    output = F.linear(F.relu(F.linear(x, w1.T, b1)), w2.T, b2)
    loss = F.mse_loss(output, target.reshape(output.shape))
    loss.backward()
    return loss.detach(), [t.grad for t in (x, w1, b1, w2, b2)]


def assert_agrees(x, target, params):
    "Our loss and gradients are PyTorch's, to the tolerance of the type."
    loss = forward_and_backward(x, target, params)
    right_loss, right = pytorch(x, target, params)
    tol = {"rtol": TOLERANCE[x.dtype], "atol": TOLERANCE[x.dtype]}
    torch.testing.assert_close(loss, right_loss, **tol)
    for tensor, grad in zip((x, *params), right, strict=True):
        torch.testing.assert_close(tensor.g, grad, **tol)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("shape", SHAPES)
def test_shapes(shape, dtype):
    assert_agrees(*network(*shape, dtype))


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("n", [1, 2, 5])
def test_flat_target(n, dtype):
    assert_agrees(*network(n, 3, 4, 1, dtype, flat_target=True))


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_zeros_in_the_input_and_at_the_kink(dtype):
    x, target, params = network(5, 4, 6, 3, dtype)
    x[0] = 0
    x[:, 1] = 0
    params.b1[::2] = 0  # row 0 reaches these ReLUs as exactly 0
    assert_agrees(x, target, params)
    assert_agrees(torch.zeros_like(x), target, params)
    assert_agrees(x, torch.zeros_like(target), MLPParams(*(torch.zeros_like(t) for t in params)))


@given(st.tuples(*[st.integers(1, 8)] * 4), st.sampled_from(list(TOLERANCE)), st.integers(0, 99))
@settings(max_examples=40, deadline=None, derandomize=True)
def test_any_shape(shape, dtype, seed):
    assert_agrees(*network(*shape, dtype, seed))


def test_a_weight_used_twice():
    x, target, params = network(6, 4, 4, 4, torch.float64)
    tied = params._replace(w2=params.w1)
    forward_and_backward(x, target, tied)
    leaf = tied.w1.clone().requires_grad_()
    F.mse_loss(F.relu(x @ leaf + tied.b1) @ leaf + tied.b2, target).backward()
    torch.testing.assert_close(tied.w1.g, leaf.grad, rtol=1e-10, atol=1e-10)
    assert [row.name for row in compare_grads(x, target, tied).rows] == ["w2 = w1", "b2", "b1", "x"]


def test_a_fresh_pass_starts_clean_and_leaves_values_alone():
    x, target, params = network(6, 4, 5, 3, torch.float64)
    before = [t.clone() for t in (x, target, *params)]
    forward_and_backward(x, target, params)
    first = [t.g.clone() for t in (x, *params)]
    forward_and_backward(x, target, params)
    assert all(torch.equal(t.g, g) for t, g in zip((x, *params), first, strict=True))
    assert all(torch.equal(a, b) for a, b in zip((x, target, *params), before, strict=True))


def test_gradients_add_up_within_a_pass():
    inp, w, b = torch.randn(3, 2), torch.randn(2, 4), torch.randn(4)
    for _ in range(2):
        out = lin(inp, w, b)
        out.g = torch.ones(3, 4)
        lin_grad(inp, out, w, b)
    torch.testing.assert_close(w.g, 2 * inp.T @ torch.ones(3, 4))
    torch.testing.assert_close(b.g, torch.full((4,), 6.0))


def test_an_infinite_gradient_stops_at_the_mask():
    inp = torch.tensor([-1.0, 1.0])
    out = relu(inp)
    out.g = torch.full((2,), float("inf"))
    relu_grad(inp, out)
    assert inp.g.tolist() == [0.0, float("inf")]


def broken(which):
    "A backward pass with one mistake."

    def backward(x, target, params):
        forward_and_backward(x, target, params)
        if which in params._fields:
            getattr(params, which).g[(0,) * getattr(params, which).ndim] += 0.5
        elif which == "missing":
            params.b2.g = None
        elif which == "unsummed":
            params.b1.g = params.b1.g.repeat(len(x), 1)
        elif which == "nan":
            x.g[0, 0] = float("nan")
        elif which == "slightly":
            params.w1.g += 1e-5
        elif which == "float":
            params.b1.g = torch.zeros(params.b1.shape).add_(params.b1.g)
        elif which == "list":
            params.b1.g = params.b1.g.tolist()

    return backward


@pytest.mark.parametrize(
    ("which", "first", "says"),
    [
        ("w2", "w2", "wrong; correct before it: nothing"),
        ("b2", "b2", "correct before it: w2."),
        ("w1", "w1", "(4, 5), wrong; correct before it: w2, b2."),
        ("missing", "b2", "no .g"),
        ("unsummed", "b1", ".g is (6, 5)"),
        ("nan", "x", "nan"),
        ("slightly", "w1", "wrong"),
        ("float", "b1", ".g is torch.float32, not torch.float64"),
        ("list", "b1", ".g is a list"),
    ],
)
def test_compare_grads_names_the_first_wrong_tensor(which, first, says):
    x, target, params = network(6, 4, 5, 3, torch.float32)
    report = compare_grads(x, target, params, backward=broken(which))
    assert not report.ok and report.first_wrong.name == first and says in str(report)
    assert abs(report.first_wrong.measured - report.first_wrong.pytorch) < 1e-6
    assert f"{report.first_wrong.measured:#.4g} by central differences" in str(report)
    assert not hasattr(x, "g")  # it works on copies


def test_compare_grads_agrees():
    report = compare_grads(*network(6, 4, 5, 3, torch.float32))
    assert report.ok and report.first_wrong is None and "All gradients agree" in str(report)
    assert [row.name for row in report.rows] == ["w2", "b2", "w1", "b1", "x"]


def test_the_report_shows_small_numbers_and_wide_shapes():
    x, target, params = network(2, 784, 50, 3, torch.float64)

    def backward(x, target, params):
        forward_and_backward(x, target, params)
        params.w1.g = params.w1.g * 1.5

    lines = str(compare_grads(x * 1e-4, target, params, backward=backward)).splitlines()
    by_hand, measured = (float(word) for word in lines[3].split()[-4:-2])
    assert by_hand / measured == pytest.approx(1.5, rel=1e-3) and abs(measured) < 1e-4
    assert lines[3].startswith("w1      (784, 50) [")
    assert len({len(line[:61]) for line in lines[:6]}) == 1 and lines[1].endswith("  ok")


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_compare_grads_where_recording_is_off(mode):
    network_ = network(6, 4, 5, 3, torch.float32)
    with mode():
        assert compare_grads(*network_).ok


def test_any_four_tensors_are_parameters():
    x, target, params = network(6, 4, 5, 3, torch.float64)
    for four in (tuple(params), list(params)):
        forward_and_backward(x, target, four)
        assert compare_grads(x, target, four).ok


ones = torch.ones


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: mse_grad(ones(3, 1), ones(4)), "target is (4,)"),
        (lambda: mse_grad(ones(3), ones(3, 1)), "target is (3, 1)"),
        (lambda: mse_grad(ones(3, 2), ones(2, 3)), "target is (2, 3)"),
        (lambda: add_grad(ones(3), ones(2, 3)), "grad is (2, 3) but its tensor is (3,)"),
    ],
)
def test_what_would_be_silently_wrong_is_refused(call, words):
    with pytest.raises(ValueError) as caught:
        call()
    assert words in str(caught.value)


def functions(x, target, w1, b1, w2, b2):
    hidden = ReLUFunction.apply(LinearFunction.apply(x, w1, b1))
    return mse(LinearFunction.apply(hidden, w2, b2), target)


@pytest.mark.parametrize("shape", SHAPES)
def test_functions_agree(shape):
    x, target, params = network(*shape, torch.float64)
    x[0] = 0
    leaves = [t.clone().requires_grad_() for t in (x, *params)]
    functions(leaves[0], target, *leaves[1:]).backward()
    for leaf, grad in zip(leaves, pytorch(x, target, params)[1], strict=True):
        torch.testing.assert_close(leaf.grad, grad, rtol=1e-10, atol=1e-10)


def test_the_function_has_slope_zero_at_zero():
    leaf = torch.tensor([-1.0, 0.0, -0.0, 2.0], requires_grad=True)
    ReLUFunction.apply(leaf).backward(torch.full((4,), 3.0))
    assert leaf.grad.tolist() == [0.0, 0.0, 0.0, 3.0]


def test_functions_differentiate_twice():
    x, target, params = network(3, 2, 4, 1, torch.float64, flat_target=True)
    leaves = [t.requires_grad_() for t in (x, target, *params)]
    assert torch.autograd.gradcheck(functions, leaves) and torch.autograd.gradgradcheck(functions, leaves)


def test_modules_have_parameters_and_agree():
    x, target, params = network(6, 4, 5, 3, torch.float32)
    x[0] = 0
    model = torch.nn.Sequential(Linear(4, 5, seed=0), ReLU(), Linear(5, 3, seed=1))
    assert [name for name, _ in model.named_parameters()] == ["0.w", "0.b", "2.w", "2.b"]
    MSELoss()(model(x), target).backward()
    params = MLPParams(*(p.detach() for p in model.parameters()))
    for p, grad in zip(model.parameters(), pytorch(x, target, params)[1][1:], strict=True):
        torch.testing.assert_close(p.grad, grad, rtol=1e-5, atol=1e-5)
    with pytest.raises(ValueError, match="target"):
        MSELoss()(ones(3, 1), ones(3, 1, 1))
    assert mse(model(x), target) == MSELoss()(model(x), target)

"""Every public function against every kind of wrong input: a right answer or an error to act on, never a silent broadcast.

A row of the table is a function with good arguments and a reference (PyTorch, float64 where it matters). Each tensor argument in turn
is replaced by each kind of wrong thing. What comes back must be what the reference gives for the same arguments, or an error that
says what is wrong, with the name of the function or layer in it; UNNAMED lists who else may speak, and why.
`pytest --collect-only tests/test_bad_input.py` lists the table, a line for each function, argument and kind.
"""

import re

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from lesson13 import autograd, backward, data_parallel, forward, learner, losses, matmul, modules, training

pytestmark = pytest.mark.abuse
SEED = 13
generator = torch.Generator().manual_seed(SEED)


def floats(*shape):
    return torch.randn(*shape, generator=generator)


def classes(n, k):
    return torch.randint(k, (n,), generator=generator)


KINDS = {
    "None": lambda t: None,
    "text": lambda t: "three",
    "number": lambda t: 3.0,
    "list": lambda t: t.tolist(),
    "array": lambda t: t.numpy(),
    "integers": lambda t: t.long() if t.is_floating_point() else t.float(),
    "booleans": lambda t: t > 0,
    "complex": lambda t: t.to(torch.complex64),
    "doubles": lambda t: t.double(),
    "no axis": lambda t: t.flatten()[0],
    "one axis less": lambda t: t[0],
    "one axis more": lambda t: t[None],
    "a row too many": lambda t: torch.cat([t, t[:1]]),
    "a column too many": lambda t: torch.cat([t, t[..., :1]], -1),
    "one column": lambda t: t[..., :1],
    "one row": lambda t: t[:1],
    "empty": lambda t: t[:0],
}


def strict(reference, *ranks, same=()):
    "`reference` for arguments of these ranks only; PyTorch alone would also take others."

    def call(*args):
        for arg, rank in zip(args, ranks, strict=True):
            if not isinstance(arg, torch.Tensor) or arg.ndim != rank:
                raise TypeError("rank")
        for i, j in same:
            if args[i].shape != args[j].shape:
                raise TypeError("shape")
        return reference(*args)

    return call


def lin_reference(x, w, b):
    if b.shape != w.shape[1:]:
        raise TypeError("b")
    return x @ w + b


def mse_reference(output, target):
    if output.shape == (*target.shape, 1):
        output = output.squeeze(-1)
    if output.shape != target.shape:
        raise TypeError("shape")
    return ((output - target) ** 2).mean()


def layer(module, *args):
    "A fresh layer for each call."
    return lambda *inputs: module(*args)(*inputs)


def linear(kind):
    def call(x):
        lin = kind(4, 5)
        return lin(x) * 0 if isinstance(lin, torch.nn.Module) else lin.forward(x) * 0

    return call


product = strict(lambda a, b: a @ b, 2, 2)
TABLE = {
    **{
        n: (getattr(matmul, n), [floats(3, 4), floats(4, 5)], product)
        for n in matmul.__all__
        if n.startswith("matmul")
    },
    "lin": (forward.lin, [floats(3, 4), floats(4, 5), floats(5)], strict(lin_reference, 2, 2, 1)),
    "relu": (forward.relu, [floats(3, 4)], torch.relu),
    "mse": (forward.mse, [floats(6, 1), floats(6)], mse_reference),
    "ReLU": (layer(modules.ReLU), [floats(3, 4)], torch.relu),
    "Tanh": (layer(modules.Tanh), [floats(3, 4)], torch.tanh),
    "Sigmoid": (layer(modules.Sigmoid), [floats(3, 4)], torch.sigmoid),
    "Linear": (linear(modules.Linear), [floats(3, 4)], strict(lambda x: torch.zeros(len(x), 5), 2)),
    "MSELoss": (layer(modules.MSELoss), [floats(6, 1), floats(6)], mse_reference),
    "autograd.Linear": (linear(autograd.Linear), [floats(3, 4)], lambda x: torch.zeros(*x.shape[:-1], 5)),
    "logsumexp": (losses.logsumexp, [floats(3, 4)], lambda x: torch.logsumexp(x, -1)),
    "softmax": (losses.softmax, [floats(3, 4)], lambda x: torch.softmax(x, -1)),
    "log_softmax": (losses.log_softmax, [floats(3, 4)], lambda x: torch.log_softmax(x, -1)),
    "nll_loss": (losses.nll_loss, [floats(6, 4).log_softmax(1), classes(6, 4)], strict(F.nll_loss, 2, 1)),
    "cross_entropy": (losses.cross_entropy, [floats(6, 4), classes(6, 4)], strict(F.cross_entropy, 2, 1)),
    "CrossEntropyLoss": (
        layer(losses.CrossEntropyLoss),
        [floats(6, 4), classes(6, 4)],
        strict(F.cross_entropy, 2, 1),
    ),
    "accuracy": (
        training.accuracy,
        [floats(6, 4), classes(6, 4)],
        strict(lambda x, y: (x.argmax(1) == y).double().mean(), 2, 1),
    ),
    "average_gradients": (
        lambda a, b: data_parallel.average_gradients([[a], [b]], [2, 3])[0],
        [floats(3, 4), floats(3, 4)],
        strict(lambda a, b: 0.4 * a + 0.6 * b, 2, 2, same=[(0, 1)]),
    ),
    "collate": (
        lambda a, b: learner.collate([(a, torch.tensor(0)), (b, torch.tensor(1))])[0],
        [floats(3, 4), floats(3, 4)],
        lambda a, b: torch.stack([a, b]),
    ),
    "Dataset": (
        lambda x, y: learner.Dataset(x, y)[0][0],
        [floats(6, 4), classes(6, 4)],
        lambda x, y: x[0] if len(x) == len(y) else 1 / 0,
    ),
}


UNNAMED = {
    "Dataset": r"has no len\(\)|len\(\) of a",  # Python's words: all that has a length may be a dataset's part
    "autograd.Linear": r"\bLinear\b|^lin: ",  # its own name has no module in front; the function inside speaks too
    "relu": "complex",  # PyTorch's words
}


def arguments():
    for name, (function, good, reference) in TABLE.items():
        yield pytest.param(function, good, reference, name, "good", id=f"{name}-good")
        for position, original in enumerate(good):
            for kind, spoil in KINDS.items():
                try:
                    bad = spoil(original)
                except (IndexError, RuntimeError):
                    continue  # there is no such thing: a vector has no column too many
                args = [*good[:position], bad, *good[position + 1 :]]
                yield pytest.param(function, args, reference, name, kind, id=f"{name}-{position}-{kind}")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("function, args, reference, name, kind", list(arguments()))
def test_right_answer_or_an_error_to_act_on(function, args, reference, name, kind):
    before = [a.clone() if isinstance(a, torch.Tensor) else a for a in args]
    try:
        result = function(*args)
    except (ValueError, TypeError, RuntimeError) as error:
        assert kind != "good"
        assert re.search(rf"\b{name}\b|{UNNAMED.get(name, name)}", str(error)), repr(error)
        return
    expected = torch.as_tensor(reference(*args))
    torch.testing.assert_close(
        torch.as_tensor(result), expected, check_dtype=False, rtol=1e-5, atol=1e-6, equal_nan=True
    )
    for old, new in zip(before, args, strict=True):
        assert not isinstance(old, torch.Tensor) or torch.equal(old, new) or old.isnan().any()


@pytest.mark.parametrize("name", ["lin_grad", "relu_grad", "mse_grad"])
def test_gradients_refuse_what_did_not_arrive(name):
    "A gradient function without its upstream gradient, or with one of another shape, says so."
    inp, w, b = floats(3, 4), floats(4, 5), floats(5)
    out = {"lin_grad": inp @ w + b, "relu_grad": inp.relu(), "mse_grad": floats(3)}[name]
    args = {"lin_grad": (inp, out, w, b), "relu_grad": (inp, out), "mse_grad": (inp, out)}[name]
    with pytest.raises((ValueError, TypeError), match=name.removesuffix("_grad")):
        getattr(backward, name)(*args)
    if name != "mse_grad":
        out.g = floats(1, 1)
        with pytest.raises((ValueError, TypeError), match=name):
            getattr(backward, name)(*args)


@pytest.mark.parametrize("bad", [None, "64", 2.5, 0, -3])
@pytest.mark.parametrize(
    "make",
    [lambda n: modules.Linear(n, 3), lambda n: forward.init_mlp(n, 3, 2), lambda n: autograd.Linear(n, 3)],
)
def test_sizes_are_positive_whole_numbers(make, bad):
    with pytest.raises((ValueError, TypeError), match="Linear|init_mlp"):
        make(bad)


def test_numpy_scalars_and_arrays_never_slip_through():
    for function, good, _ in TABLE.values():
        if len(good) == 1:
            with pytest.raises((TypeError, ValueError)):
                function(np.ones((3, 4), dtype=np.float32))

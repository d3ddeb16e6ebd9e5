"""The parts of the learner with what they do not expect, and loader workers under a real kernel."""

import os
from pathlib import Path

import nbformat
import pytest
import torch
from nbclient import NotebookClient
from torch import nn

from lesson13.learner import SGD, DataLoader, Dataset, batches, collate, fit, parameters, validate
from lesson13.losses import CrossEntropyLoss
from lesson13.modules import Checkpoint, Linear, ReLU, Sequential

ROOT = Path(__file__).resolve().parent.parent

SETUP = """
import torch
from lesson13.learner import Dataset, worker_loader
x, y = torch.arange(200.0)[:, None], torch.arange(200)
"""


def run(*cells):
    "Execute cells in a kernel of its own; a cell that takes two minutes has hung."
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in (SETUP, *cells)])
    NotebookClient(book, timeout=120, kernel_name="python3").execute(
        env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    return "".join(
        o.get("text", "") for o in book.cells[-1].outputs if o.output_type == "stream" and o.name == "stdout"
    )


def test_workers_finish_and_give_every_sample_once():
    loop = "seen = sorted(i for _ in range(2) for _, b in loader for i in b.tolist())"
    show = "print(seen == sorted(2 * list(range(200))))"
    assert (
        run(
            f"loader = worker_loader(Dataset(x, y), batch_size=16, n_workers=2, shuffle=True)\n{loop}\n{show}"
        ).strip()
        == "True"
    )


def a_batch(n=6):
    generator = torch.Generator().manual_seed(0)
    return torch.randn(n, 4, generator=generator), torch.arange(n) % 3


def test_parameters_of_layers_in_layers_each_once():
    first, middle, last = (Linear(4, 4, seed=k) for k in range(3))
    model = Sequential(Sequential(first, ReLU()), Checkpoint(Sequential(middle, ReLU(), first)), last)
    wanted = [first.w, first.b, middle.w, middle.b, last.w, last.b]
    assert list(map(id, parameters(model))) == list(map(id, wanted))
    assert list(map(id, parameters(last))) == list(map(id, wanted[4:]))
    assert parameters(ReLU()) == []


def test_sgd_moves_parameters_with_our_gradient_whatever_they_require():
    w = torch.ones(4, 3, requires_grad=True)
    layer, (x, y), loss_fn = Linear.from_weights(w, torch.zeros(3)), a_batch(), CrossEntropyLoss()
    with torch.no_grad():
        loss_fn(layer(x), y)
        loss_fn.backward()
        layer.backward()
    expected = w.detach() - 0.1 * w.g
    SGD([w], lr=0.1).step()
    torch.testing.assert_close(w.detach(), expected)


def test_validate_measures_and_leaves_every_layer_in_its_mode():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.5), nn.BatchNorm1d(8), nn.Linear(8, 3))
    model[2].eval()  # somebody froze it
    x, y = a_batch()
    before = [m.training for m in model.modules()]
    results = {validate(model, nn.CrossEntropyLoss(), [(x, y)]) for _ in range(3)}
    model.eval()
    assert results == {validate(model, nn.CrossEntropyLoss(), [(x, y)])}
    assert before == [True, True, True, False, True] and not any(m.training for m in model.modules())
    model.train()
    with pytest.raises(ValueError, match="validate: the loader gave no samples"):
        validate(model, nn.CrossEntropyLoss(), [])
    assert all(m.training for m in model.modules())


def test_a_pytorch_model_learns_from_our_loss():
    torch.manual_seed(0)
    ours, theirs = nn.Linear(4, 3), nn.Linear(4, 3)
    theirs.load_state_dict(ours.state_dict())
    for model, loss_fn in ((ours, CrossEntropyLoss()), (theirs, nn.CrossEntropyLoss())):
        fit(model, loss_fn, SGD(parameters(model), lr=0.5), [a_batch()], [a_batch()], epochs=3)
    torch.testing.assert_close(ours.weight, theirs.weight)


def test_our_model_with_a_loss_of_pytorch_is_told_what_to_give():
    model = Sequential(Linear(4, 3, seed=0))
    with pytest.raises(TypeError, match=r"backward: .*CrossEntropyLoss has no backward\(\); give a loss"):
        fit(model, nn.CrossEntropyLoss(), SGD(parameters(model), lr=0.5), [a_batch()], [a_batch()], epochs=1)


@pytest.mark.parametrize("bad", [0, -1, 2.5, None])
def test_a_batch_size_is_a_whole_number_from_1_up(bad):
    with pytest.raises(ValueError, match=r"^batches: batch_size is .*at least one"):
        list(batches(range(5), bad))
    with pytest.raises(ValueError, match=r"^DataLoader: batch_size is"):
        DataLoader(Dataset(*a_batch()), bad)


@pytest.mark.parametrize(
    "samples",
    [
        [(torch.ones(3).numpy(), torch.tensor(0))],
        [(torch.ones(3), 0)],
        [(torch.ones(3), torch.tensor(0)), (torch.ones(4), torch.tensor(0))],
        [(torch.ones(3), torch.tensor(0)), (torch.ones(3),)],
        [(torch.ones(3),)],
    ],
    ids=["array", "plain label", "two shapes", "no second label", "no label"],
)
def test_collate_says_what_it_stacks(samples):
    with pytest.raises(
        (TypeError, ValueError, RuntimeError), match=r"^collate: .*give pairs \(x, y\) of tensors"
    ):
        collate(samples)

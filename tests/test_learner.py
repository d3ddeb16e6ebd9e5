"""The parts of the learner with what they do not expect, and loader workers under a real kernel."""

import os
from pathlib import Path

import nbformat
import pytest
import torch
from nbclient import NotebookClient
from torch import nn

from lesson13.learner import SGD, DataLoader, Dataset, Sampler, batches, fit, validate
from lesson13.losses import CrossEntropyLoss
from lesson13.modules import Linear, Sequential

ROOT = Path(__file__).resolve().parent.parent

SETUP = """
import torch
from lesson13.learner import Dataset, HandmadeLoader, worker_loader
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


def test_a_handmade_loader_keeps_the_order_and_can_be_left_early():
    cells = ["loader = HandmadeLoader(Dataset(x, y), batch_size=16, n_workers=3)", "for _ in loader: break"]
    show = """print([i for _, b in loader for i in b.tolist()] == list(range(200)))
import multiprocessing, time
time.sleep(0.5)
print(multiprocessing.active_children())"""
    assert run(*cells, show).split() == ["True", "[]"]


def a_batch(n=6):
    generator = torch.Generator().manual_seed(0)
    return torch.randn(n, 4, generator=generator), torch.arange(n) % 3


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


def test_validate_measures_as_after_training_and_fit_trains():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.5), nn.Linear(8, 3))
    results = {validate(model, nn.CrossEntropyLoss(), [a_batch()]) for _ in range(3)}
    assert len(results) == 1 and not model.training
    seen = []
    model.register_forward_hook(lambda *_: seen.append(model.training))
    opt = SGD(model.parameters(), lr=0.1)
    fit(model, nn.CrossEntropyLoss(), opt, [a_batch()], [a_batch()], epochs=2)
    assert seen == [True, False, True, False]


def test_fit_needs_no_len_and_counts_the_batches_of_an_epoch():
    class Loader:
        def __iter__(self):
            return iter([a_batch(), a_batch()])

    model = Sequential(Linear(4, 3, seed=0))
    history = fit(model, CrossEntropyLoss(), SGD(model.parameters(), 0.1), Loader(), Loader(), epochs=2)
    assert history.n_batches == 2 and len(history.batch_loss) == 4


def test_a_pytorch_model_learns_from_our_loss():
    torch.manual_seed(0)
    ours, theirs = nn.Linear(4, 3), nn.Linear(4, 3)
    theirs.load_state_dict(ours.state_dict())
    for model, loss_fn in ((ours, CrossEntropyLoss()), (theirs, nn.CrossEntropyLoss())):
        fit(model, loss_fn, SGD(model.parameters(), lr=0.5), [a_batch()], [a_batch()], epochs=3)
    torch.testing.assert_close(ours.weight, theirs.weight)


def test_our_model_with_a_loss_of_pytorch_is_told_what_to_give():
    model = Sequential(Linear(4, 3, seed=0))
    with pytest.raises(TypeError, match=r"backward: .*CrossEntropyLoss has no backward\(\); give a loss"):
        fit(model, nn.CrossEntropyLoss(), SGD(model.parameters(), lr=0.5), [a_batch()], [a_batch()], epochs=1)


def test_a_sampler_gives_each_number_once_in_orders_that_its_seed_repeats():
    sampler = Sampler(10, shuffle=True, seed=1)
    first, second = list(batches(sampler, 4)), list(batches(sampler, 4))
    assert sorted(sum(first, [])) == sorted(sum(second, [])) == list(range(10)) and first != second
    assert [len(rows) for rows in first] == [4, 4, 2]
    assert list(batches(Sampler(10, shuffle=True, seed=1), 4)) == first


def test_samples_one_by_one_and_rows_at_once_make_the_same_batches():
    loaders = [DataLoader(Dataset(*a_batch()), 4, shuffle=True, **how) for how in ({}, {"collate": None})]
    assert len(loaders[0]) == 2
    for (x1, y1), (x2, y2) in zip(*loaders, strict=True):
        assert torch.equal(x1, x2) and torch.equal(y1, y2)


@pytest.mark.parametrize(("bad", "kind"), [(0, ValueError), (-1, ValueError), (2.5, TypeError)])
def test_a_batch_size_is_a_whole_number_from_1_up(bad, kind):
    for attempt in (
        lambda: list(batches(range(5), bad)),
        lambda: next(iter(DataLoader(Dataset(*a_batch()), bad))),
    ):
        with pytest.raises(kind):
            attempt()


def test_an_optimizer_needs_parameters():
    with pytest.raises(ValueError, match="^SGD: there are no parameters"):
        SGD([], lr=0.1)

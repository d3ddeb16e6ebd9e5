"""Loader workers under a real kernel: they finish. That a failing one says why is in the notebook."""

import os
from pathlib import Path

import nbformat
from nbclient import NotebookClient

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

"""Every notebook under a real Jupyter kernel, and the outputs it is committed with are those of its code.

nbdev_test runs the cells in a shell of its own; this is the second gate. Text is compared word for word and number for
number (to one part in a thousand, since processors round differently), figures by presence and size. A cell whose text
depends on the machine or the clock, or its figure's labels do, carries the tag `varies`: it is run, and has as many figures.

The kernel is put where a learner may be: no connection leaves the machine, and 1 GB of memory is left after PyTorch is imported.
"""

import base64
import os
import re
import struct
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NBS = Path(__file__).resolve().parent.parent / "nbs"
CONFINE = """
import sys
import torch

def only_this_machine(event, args):
    if event == "socket.connect" and isinstance(args[1], tuple) and args[1][0] not in ("127.0.0.1", "::1", "localhost"):
        raise OSError(f"no network in this test: {args[1]}")

sys.addaudithook(only_this_machine)
if sys.platform == "linux":
    import resource

    with open("/proc/self/statm") as f:
        used = int(f.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + 2**30, used + 2**30))
del only_this_machine, sys, torch
"""
NUMBER = re.compile(r"[-+]?(?:\d[\d,]*\.?\d*|\.\d+)(?:e[-+]?\d+)?")
ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


def numbers(text):
    return [float(m.replace(",", "")) for m in NUMBER.findall(text)]


def words(text):
    "The text with numbers, spacing and addresses taken out."
    return re.sub(r"\s+", " ", NUMBER.sub("#", ADDRESS.sub("", text))).strip()


def texts(cell):
    "What a reader sees of a cell's output as text; what went to stderr is the machine's affair."
    for output in cell.outputs:
        if output.output_type == "stream" and output.name == "stdout":
            yield output.text
        elif "data" in output and not any(
            k.startswith(("image/", "text/html", "application/")) for k in output.data
        ):
            yield output.data.get("text/markdown", output.data.get("text/plain", ""))


def figures(cell):
    "Width and height in pixels of each picture."
    for output in cell.outputs:
        if "image/png" in output.get("data", {}):
            yield struct.unpack(">II", base64.b64decode(output.data["image/png"])[16:24])


@pytest.mark.parametrize(
    "name", sorted(p.relative_to(NBS).with_suffix("").as_posix() for p in NBS.rglob("[!_.]*.ipynb"))
)
def test_runs_and_matches_its_saved_outputs(name):
    saved = nbformat.read(NBS / f"{name}.ipynb", 4)
    fresh = nbformat.read(NBS / f"{name}.ipynb", 4)
    env = {
        **os.environ,
        "PYTHONPATH": str(NBS.parent),
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    }
    fresh.cells.insert(0, nbformat.v4.new_code_cell(CONFINE))
    place = {"metadata": {"path": NBS}}
    # All is said when the last cell has ended: the kernel need not tidy up, which takes it a second.
    client = NotebookClient(fresh, timeout=120, resources=place, shutdown_kernel="immediate")
    client.execute(env=env)
    for old, new in zip(saved.cells, fresh.cells[1:], strict=True):
        if old.cell_type != "code" or old.source.startswith("show_doc"):
            continue
        sizes_before, sizes_after = list(figures(old)), list(figures(new))
        if "varies" in old.metadata.get("tags", []):
            assert len(sizes_before) == len(sizes_after), old.source
            continue
        before, after = "\n".join(texts(old)), "\n".join(texts(new))
        assert words(before) == words(after), old.source
        assert numbers(after) == pytest.approx(numbers(before), rel=1e-3, abs=1e-6), old.source
        assert sizes_before == sizes_after, old.source

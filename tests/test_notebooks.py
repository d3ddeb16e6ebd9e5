"""Every notebook under a real Jupyter kernel: its outputs are those it is committed with, and it can be run again.

nbdev_test runs the cells in a shell of its own; this is the second gate. Text is compared word for word and number for
number (to one part in a thousand or one in the last digit, since processors round differently), figures by presence and
size. A cell whose text depends on the machine or the clock, or its figure's labels do, carries the tag `varies`: it is run,
and has as many figures. Then everything runs once more in the same kernel, each quick cell twice, as a learner does it.

The kernel is put where a learner may be: no connection leaves the machine, and 1 GB of memory is left after PyTorch is imported.
"""

import base64
import os
import re
import struct
import time
from copy import deepcopy
from itertools import zip_longest
from pathlib import Path

import nbformat
import pytest
from kernels import quick_starts
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

quick_starts()
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
QUICK = 0.1  # seconds; such a cell runs a third time
AGAIN = 5  # seconds that the second run may take: all cells of most notebooks, the beginning of the long ones
MARKER = re.compile(r"^`?(<{7}|={7}|>{7})( |`|$)", re.M)
NUMBER = re.compile(r"[-+]?(?:\d[\d,]*\.?\d*|\.\d+)(?:e[-+]?\d+)?")
ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


def numbers(text):
    "Each number with what it may be off by: a thousandth of it, or one in its last digit where it is no whole number."
    for found in NUMBER.findall(text):
        digits, _, exponent = found.replace(",", "").partition("e")
        last = f"1e{int(exponent or 0) - len(digits.partition('.')[2])}" if "." in digits or exponent else "0"
        number = float(found.replace(",", ""))
        yield number, max(abs(number) / 1000, 1.001 * float(last), 1e-6)


def same_numbers(before, after):
    pairs = list(zip_longest(numbers(before), numbers(after)))
    return all(a and b and (a[0] == b[0] or abs(a[0] - b[0]) <= a[1]) for a, b in pairs)


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


def test_no_notebook_is_half_merged():
    "nbdev's merge leaves cells that are only markers, and every other tool takes them for text."
    for path in NBS.rglob("[!_.]*.ipynb"):
        for cell in nbformat.read(path, 4).cells:
            assert not MARKER.search(cell.source), f"{path.name}: {cell.source}"


def compare(old, new):
    "The saved cell and the one that has just run show the same."
    sizes_before, sizes_after = list(figures(old)), list(figures(new))
    if "varies" in old.metadata.get("tags", []):
        assert len(sizes_before) == len(sizes_after), old.source
        return
    before, after = "\n".join(texts(old)), "\n".join(texts(new))
    assert words(before) == words(after), old.source
    assert same_numbers(before, after), f"{old.source}\nsaved: {before}\nnow: {after}"
    assert sizes_before == sizes_after, old.source


def run(client, cell):
    "Run a cell in the client's kernel; the seconds it took."
    start = time.perf_counter()
    client.execute_cell(cell, 0)
    return time.perf_counter() - start


@pytest.mark.parametrize(
    "name", sorted(p.relative_to(NBS).with_suffix("").as_posix() for p in NBS.rglob("[!_.]*.ipynb"))
)
def test_runs_and_matches_its_saved_outputs(name):
    saved = nbformat.read(NBS / f"{name}.ipynb", 4)
    code = [
        cell for cell in saved.cells if cell.cell_type == "code" and not cell.source.startswith("show_doc")
    ]
    env = {
        **os.environ,
        "PYTHONPATH": str(NBS.parent),
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    }
    fresh = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(CONFINE), *deepcopy(code)])
    place = {"metadata": {"path": NBS / Path(name).parent}}
    # All is said when the last cell has ended: the kernel need not tidy up, which takes it a second.
    client = NotebookClient(fresh, timeout=120, resources=place, shutdown_kernel="immediate")
    with client.setup_kernel(env=env):
        seconds = [run(client, cell) for cell in fresh.cells][1:]
        for old, new in zip(code, fresh.cells[1:], strict=True):
            compare(old, new)
        spent = 0.0
        for cell, took in zip(fresh.cells[1:], seconds, strict=True):
            spent += took
            if spent > AGAIN:
                break
            try:
                for _ in range(2 if took < QUICK else 1):
                    run(client, cell)
            except CellExecutionError as error:
                raise AssertionError("runs, and does not run again:\n" + str(error)) from None

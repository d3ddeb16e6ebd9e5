"""The numbers in a chapter's text come from its run.

A number with three figures, or two and a point, stands in the same chapter's code or output, which test_notebooks runs
again; or its sentence says how to work it out, by a sign of arithmetic. So a text cannot keep a figure that a new version
of PyTorch, or an edit, has changed. Outputs that depend on the machine or the clock (tag `varies`) hold no number for a text.
Round whole numbers (100, 2,560), minutes to allow and questions set a task rather than report a run.
"""

import re
from bisect import bisect_left
from pathlib import Path

import nbformat
import pytest

NBS = Path(__file__).resolve().parent.parent / "nbs"
NUMBER = re.compile(r"(?<![\w.^_])(?<!e-)\d(?:[\d,]*\d)?(?:\.\d+)?(?![\d.]*\w)")
ARITHMETIC = re.compile(r"[=≈·/√+×²³⁰]|\\(?:approx|cdot|frac|sqrt)|e\^")
NOT_TEXT = re.compile(r"```.*?```|\]\([^)]*\)|^## Further reading.*", re.S | re.M)


def numbers(text):
    "Each number as it is written, without the commas between thousands."
    return [found.replace(",", "") for found in NUMBER.findall(text)]


def shown(cells):
    "All numbers of code and output, in order."
    texts = []
    for cell in cells:
        if cell.cell_type == "code":
            texts.append(cell.source.replace("_", ""))
            for output in cell.outputs if "varies" not in cell.metadata.get("tags", []) else ():
                data = output.get("data", {})
                texts += [
                    output.get("text", ""),
                    *(data.get(f"text/{kind}", "") for kind in ("plain", "markdown", "latex")),
                ]
    return sorted(float(number) for text in texts for number in numbers(text))


def stands_in(number, known):
    "Whether one of the known numbers rounds to it."
    digits = len(number.partition(".")[2])
    half = 0.5 * 10.0**-digits if digits else 0
    k = bisect_left(known, float(number) - half - 1e-12)
    return k < len(known) and known[k] <= float(number) + half + 1e-12


def untied(book):
    "Sentences with a number that neither the run nor the sentence itself accounts for."
    known = shown(book.cells)
    for cell in book.cells:
        if cell.cell_type == "markdown":
            for sentence in re.split(r"(?<=[.?:;!])\s+|\n", NOT_TEXT.sub("]", cell.source)):
                if sentence.endswith("?") or " minutes" in sentence or ARITHMETIC.search(sentence):
                    continue
                for number in numbers(sentence):
                    figures = len(number.replace(".", "").lstrip("0"))
                    round_one = "." not in number and number.endswith("0")
                    if figures > 2 - ("." in number) and not round_one and not stands_in(number, known):
                        yield f"{number} in: {sentence}"


@pytest.mark.parametrize("name", sorted(p.stem for p in NBS.glob("[01][0-9]_*.ipynb")))
def test_come_from_the_run(name):
    found = list(untied(nbformat.read(NBS / f"{name}.ipynb", 4)))
    assert not found, "\n".join(found)


def test_a_stray_number_is_found():
    code = nbformat.v4.new_code_cell("x = 1.5", outputs=[nbformat.v4.new_output("stream", text="0.51432\n")])
    text = nbformat.v4.new_markdown_cell(
        "Lowest after epoch 46, at 0.514. It began at 0.715. Twice 0.51 = 1.02."
    )
    assert list(untied(nbformat.v4.new_notebook(cells=[code, text]))) == ["0.715 in: It began at 0.715."]

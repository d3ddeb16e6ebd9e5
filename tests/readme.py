"""Keep README.md in step with nbs/index.ipynb: `python tests/readme.py` writes it, `--check` only compares.

The part of README.md above the marker is the index notebook, converted; the part below is written by hand.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import nbformat
from nbconvert import MarkdownExporter

ROOT = Path(__file__).resolve().parent.parent
MARKER = "<!-- Above: nbs/index.ipynb, by tests/readme.py. Below: written here. -->"
PICTURES = "nbs/images"


def readme() -> dict[str, bytes]:
    "The files that README.md consists of: its text, and the pictures that the notebook's cells drew."
    book = nbformat.read(ROOT / "nbs" / "index.ipynb", 4)
    book.metadata["language_info"] = {"name": "python"}  # cleaned away, and what marks a block as Python
    for cell in book.cells:
        alt = re.search(r'^#\| fig-alt: "(.*)"$', cell.source, re.M)
        cell.source = re.sub(r"^#\|.*\n", "", cell.source, flags=re.M)
        for output in cell.get("outputs", []):
            if alt and "data" in output and "image/png" in output.data:
                output.metadata["alt"] = alt[1]
    text, resources = MarkdownExporter().from_notebook_node(book)
    pictures = {}
    alts = [
        o.metadata["alt"] for c in book.cells for o in c.get("outputs", []) if "alt" in o.get("metadata", {})
    ]
    for i, (name, image) in enumerate(sorted(resources["outputs"].items())):
        path = f"{PICTURES}/index_{i}.png"
        pictures[path] = image
        text = text.replace(f"![png]({name})", f"![{alts[i]}]({path})")
    text = re.sub(r"\]\((?=[\w/]+\.ipynb|images/)", "](nbs/", text)
    below = (ROOT / "README.md").read_text(encoding="utf-8").partition(MARKER)[2]
    return {"README.md": f"{text.strip()}\n\n{MARKER}{below}".encode(), **pictures}


def stale() -> list[str]:
    "The files that are not what they should be."
    return [n for n, data in readme().items() if not (ROOT / n).exists() or (ROOT / n).read_bytes() != data]


if __name__ == "__main__":
    names = stale()
    if "--check" in sys.argv:
        sys.exit(f"out of step with nbs/index.ipynb: {', '.join(names)}; run `make export`" if names else 0)
    for name, data in readme().items():
        (ROOT / name).write_bytes(data)

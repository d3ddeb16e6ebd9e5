"""What nbdev leaves to do before a commit: `python tests/tidy.py` does it, `--check` only says what is to be done.

- README.md follows nbs/index.ipynb: above the marker is the notebook, converted; the part below is written by hand.
- Below its title each notebook offers Colab (the first one Binder too), and installs the package where Colab runs it.
  What these cells say follows from settings.ini; no other link to the repository is kept: those that `show_doc` writes are
  taken out again, and the site gets its own when it is built.
"""

from __future__ import annotations

import json
import re
import sys
from configparser import ConfigParser
from pathlib import Path

import nbformat
from nbconvert import MarkdownExporter

ROOT = Path(__file__).resolve().parent.parent
MARKER = "<!-- Above: nbs/index.ipynb, by tests/tidy.py. Below: written here. -->"
PICTURES = "nbs/images"


def readme() -> dict[str, bytes]:
    "The files that README.md consists of: its text, and the pictures that the notebook's cells drew."
    book = nbformat.reads(notebooks()["nbs/index.ipynb"].decode(), 4)
    book.cells = [c for c in book.cells if not c.source.startswith("#| hide")]
    book.metadata["language_info"] = {"name": "python"}  # cleaned away, and what marks a block as Python
    for cell in book.cells:
        alt = re.search(r'^#\| fig-alt: "(.*)"$', cell.source, re.M)
        cell.source = re.sub(r"^#\|.*\n", "", cell.source, flags=re.M)
        for output in cell.get("outputs", []):
            html = output.get("data", {}).get("text/html", "")
            if still := re.search(r'class="live-still"[^>]*src="data:image/png;base64,([^"]+)"', html):
                output.data = {"image/png": still[1]}  # a live picture's still twin
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


def way_in(name: str) -> list[dict]:
    "The two cells below the title of notebook `name`: where it opens without installing, and what Colab has to install."
    parser = ConfigParser(delimiters=["="])
    parser.read(ROOT / "settings.ini", encoding="utf-8")
    keys = ("user", "repo", "branch", "git_url", "lib_name")
    user, repo, branch, url, package = (parser["DEFAULT"][key] for key in keys)
    colab = f"https://colab.research.google.com/github/{user}/{repo}/blob/{branch}/nbs/{name}"
    links = f"[Open in Colab]({colab})"
    if name == "index.ipynb":
        binder = f"https://mybinder.org/v2/gh/{user}/{repo}/{branch}?urlpath=lab/tree/nbs/{name}"
        links += f" or [in Binder]({binder}): nothing to install."
    install = f"""#| hide
if "google.colab" in str(get_ipython()):
    %pip install -q "{package}[notebooks] @ git+{url}@{branch}\""""
    tags = {"tags": ["colab"]}
    return [
        {"cell_type": "markdown", "id": "colab-links", "metadata": tags, "source": links.splitlines(True)},
        {
            "cell_type": "code",
            "execution_count": None,
            "id": "colab-install",
            "metadata": tags,
            "outputs": [],
            "source": install.splitlines(True),
        },
    ]


SOURCE_LINK = re.compile(r"\[source\]\([^)]*\)\{[^}]*\}\s*")


def notebooks() -> dict[str, bytes]:
    "Every notebook with its way in, and without the links that `show_doc` writes."
    files = {}
    for path in sorted((ROOT / "nbs").rglob("[!_.]*.ipynb")):
        name = path.relative_to(ROOT / "nbs").as_posix()
        book = json.loads(path.read_text(encoding="utf-8"))
        title, *others = [c for c in book["cells"] if "colab" not in c["metadata"].get("tags", [])]
        book["cells"] = [title, *way_in(name), *others]
        for output in (o for cell in book["cells"] for o in cell.get("outputs", [])):
            if "text/markdown" in (data := output.get("data", {})):
                text = SOURCE_LINK.sub("", "".join(data["text/markdown"]))
                data["text/markdown"] = text.splitlines(keepends=True)
        files[f"nbs/{name}"] = (json.dumps(book, indent=1, ensure_ascii=False) + "\n").encode()
    return files


def stale() -> dict[str, bytes]:
    "The files that are not what they should be, with what they should be."
    wanted = {**notebooks(), **readme()}
    there = {n: (ROOT / n).read_bytes() if (ROOT / n).exists() else b"" for n in wanted}
    unix = lambda data: data.replace(b"\r\n", b"\n")  # git may have checked out Windows' line ends
    return {n: data for n, data in wanted.items() if unix(there[n]) != unix(data)}


if __name__ == "__main__":
    files = stale()
    if "--check" in sys.argv:
        sys.exit(f"to be tidied: {', '.join(files)}; run `make export`" if files else 0)
    for name, data in files.items():
        (ROOT / name).write_bytes(data)

"""What holds for the repository as a whole: one home, no machine paths, exercises blank, saved outputs present."""

import ast
import json
import re
import subprocess
from configparser import ConfigParser
from contextlib import suppress
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
import tidy

ROOT = Path(__file__).resolve().parent.parent
BOOKS = sorted((ROOT / "nbs").rglob("[!_.]*.ipynb"))
CHAPTERS = [p for p in BOOKS if p.name[0].isdigit() and p.name[:2] < "90"]


def settings():
    parser = ConfigParser(delimiters=["="])
    parser.read(ROOT / "settings.ini", encoding="utf-8")
    return parser["DEFAULT"]


def cells(path):
    return json.loads(path.read_text(encoding="utf-8"))["cells"]


def tracked():
    "The files that git keeps; where there is no git, or this is no checkout, every file but hidden and made ones."
    names = []
    with suppress(FileNotFoundError):
        listing = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
        names = listing.stdout.splitlines() if listing.returncode == 0 else []
    made = {"_docs", "_proc", "__pycache__", "build", "dist", "learn", "lesson13.egg-info"}
    hidden = lambda p: any(part in made or part[0] == "." for part in p.relative_to(ROOT).parts)
    files = [ROOT / n for n in names] or [p for p in ROOT.rglob("*") if not hidden(p)]
    return [p for p in files if p.is_file()]


def module_of(book):
    "The module that a notebook writes, by its name: `backward`, or `pictures.gears`."
    own = re.sub(r"^\d+_", "", book.stem).replace("log_sum_exp", "losses")
    return own if book.parent.name == "nbs" else f"{book.parent.name}.{own}"


def test_the_course_is_whole():
    numbers = [p.name[:2] for p in CHAPTERS]
    assert numbers == [f"{i:02}" for i in range(17)]
    assert (ROOT / "nbs" / "index.ipynb").exists()


def test_the_version_is_the_same_everywhere():
    version = settings()["version"]
    for name in ("_quarto.yml", "CITATION.cff", "CHANGELOG.md", "nbs/index.ipynb", "lesson13/__init__.py"):
        assert version in (ROOT / name).read_text(encoding="utf-8"), name


@pytest.mark.parametrize("book", BOOKS, ids=lambda p: p.stem)
def test_module_has_the_notebooks_name(book):
    names = [m[1] for c in cells(book) if (m := re.match(r"#\| *default_exp +(\S+)", "".join(c["source"])))]
    if book.stem in ("index", "00_by_hand", "15_practice", "92_words"):
        assert names == []
        return
    assert names == [module_of(book)]
    assert (ROOT / "lesson13" / f"{module_of(book).replace('.', '/')}.py").exists()


def imports_of(book):
    "The modules of the package that the exported cells of a notebook import."
    for cell in cells(book):
        source = "".join(cell["source"])
        if cell["cell_type"] == "code" and re.search(r"^#\| *exports?i?\b", source, re.M):
            for node in ast.walk(ast.parse(re.sub(r"^[%!].*$", "", source, flags=re.M))):
                if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("lesson13"):
                    below = node.module.partition(".")[2]
                    yield from (
                        [below] if below in MODULES else [f"{below}.{a.name}".strip(".") for a in node.names]
                    )


MODULES = {module_of(p): p for p in BOOKS}


def test_imports_run_one_way():
    "A chapter imports lower chapters, pictures and tools; there is no circle anywhere."
    graph = {name: set(imports_of(book)) for name, book in MODULES.items()}
    for name, uses in graph.items():
        assert uses <= set(MODULES), f"{name} imports {uses - set(MODULES)}, which no notebook exports"
        if MODULES[name] in CHAPTERS:
            for used in uses - {n for n in uses if n.split(".")[0] in ("pictures", "tools")}:
                assert MODULES[used].name[:2] < MODULES[name].name[:2] or used == "checking", (
                    f"{name} imports {used}"
                )
    list(TopologicalSorter(graph).static_order())  # raises CycleError


def test_readme_follows_the_index_and_notebooks_hold_no_links_home():
    assert list(tidy.stale()) == [], "run `make export`"


def test_links_have_one_home():
    "Where the repository lives is said in settings.ini alone; the generated links of README and notebooks follow from it."
    home = settings()["user"]
    allowed = {"settings.ini", "README.md", "lesson13/_modidx.py"}
    for path in tracked():
        name = path.relative_to(ROOT).as_posix()
        if name in allowed or path.suffix in {".png", ".ico"}:
            continue
        text = path.read_text(encoding="utf-8", errors="replace")
        if path in BOOKS:
            text = json.dumps([c for c in cells(path) if "colab" not in c["metadata"].get("tags", [])])
        assert home not in text, f"{name} names {home}"


@pytest.mark.parametrize("book", BOOKS, ids=lambda p: p.stem)
def test_saved_outputs(book):
    "Every notebook is committed executed, without errors and without a path of the machine that ran it."
    code = [c for c in cells(book) if c["cell_type"] == "code"]
    assert any(c["outputs"] for c in code), f"{book.name} has no saved output"
    for cell in code:
        text = json.dumps(cell["outputs"])
        assert '"output_type": "error"' not in text, "".join(cell["source"])
        for part in re.findall(r'"text(?:/\w+)?": (\[.*?\]|".*?")', text):
            assert not re.search(r"(?<![\w.])/(?:home|root|tmp|work|Users|private)/", part), part


@pytest.mark.parametrize("book", BOOKS, ids=lambda p: p.stem)
def test_exercises_are_blank(book):
    "The learner finds each exercise untouched: its stub is only `...`, and the saved answer says so."
    for cell in cells(book):
        if "exercise" not in cell["metadata"].get("tags", []):
            continue
        source = "".join(cell["source"])
        if "check(" in source:
            assert "not attempted" in json.dumps(cell["outputs"]), source


@pytest.mark.parametrize("book", [p for p in BOOKS if p.stem != "index"], ids=lambda p: p.stem)
def test_shape_of_a_notebook(book):
    "Title, one line that says what it is for, predictions, exercises, a recap and reading at the end."
    text = "\n".join("".join(c["source"]) for c in cells(book) if c["cell_type"] == "markdown")
    assert re.match(r"# \S.*\n\n> \S", text), "the first cell is '# Title' and '> description'"
    assert re.search(r"^## Recap", text, re.M) or book.parent.name == "exercises"
    if book in CHAPTERS and book.stem != "15_practice":
        assert "*Predict.*" in text
        assert re.search(r"^## Your turn", text, re.M) and re.search(r"^## Further reading", text, re.M)


@pytest.mark.parametrize("book", BOOKS, ids=lambda p: p.stem)
def test_figures_have_caption_and_alternative(book):
    for cell in cells(book):
        if cell["cell_type"] == "markdown":
            assert not re.search(r"!\[\s*\]\(", "".join(cell["source"]))
        elif any(k.startswith("image/") for o in cell["outputs"] for k in o.get("data", {})):
            source = "".join(cell["source"])
            assert re.search(r"^#\| *fig-alt: *\S", source, re.M) and re.search(
                r"^#\| *fig-cap: *\S", source, re.M
            ), source


@pytest.mark.parametrize("book", BOOKS, ids=lambda p: p.stem)
def test_links_between_notebooks_resolve(book):
    for cell in cells(book):
        if cell["cell_type"] == "markdown":
            for target in re.findall(r"\]\(([^):#\s]+\.ipynb)(?:#[^)]*)?\)", "".join(cell["source"])):
                assert (book.parent / target).exists(), f"{book.name} links to {target}"

"""The site as nbdev prepares it for Quarto, checked without Quarto: nothing is lost on the way and every link resolves."""

import os
import posixpath
import re
from pathlib import Path

import pytest
import yaml
from execnb.nbio import read_nb
from nbdev.doclinks import nbglob
from nbdev.processors import FilterDefaults

ROOT = Path(__file__).resolve().parent.parent
BOOKS = sorted((ROOT / "nbs").rglob("[!_.]*.ipynb"))
LARGEST_PAGE = 1_500_000  # characters of a page's cells and outputs


def name_of(path):
    "A notebook's place below nbs/, without its ending."
    return path.relative_to(ROOT / "nbs").with_suffix("").as_posix()


@pytest.fixture(scope="module")
def pages():
    "Every notebook after nbdev's processors, which is what Quarto renders."
    here = Path.cwd()
    os.chdir(ROOT / "nbs")
    os.environ["IN_TEST"] = "1"
    try:
        processed = {}
        for path in BOOKS:
            book = read_nb(path)
            FilterDefaults()(book)
            processed[name_of(path)] = book
        return processed
    finally:
        os.chdir(here)
        del os.environ["IN_TEST"]


def sources(book):
    return [c.source for c in book.cells if c.get("source")]


def slug(heading):
    "The anchor that Quarto gives a heading: lower case, no punctuation, hyphens for spaces, from the first letter on."
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
    text = re.sub(r"[^\w\s.-]", "", text.lower().replace("`", ""))
    return re.sub(r"^[^a-z]+", "", re.sub(r"\s+", "-", text.strip()))


def headings(book):
    for cell in book.cells:
        if cell.cell_type == "markdown" and cell.get("source"):
            text = re.sub(r"^```.*?^```", "", cell.source, flags=re.S | re.M)
            yield from ((len(m[1]), m[2]) for m in re.finditer(r"^(#+) +(.+?)\s*$", text, re.M))


def test_every_page_has_title_and_description(pages):
    for name, book in pages.items():
        front = yaml.safe_load(book.cells[0].source.strip().strip("-"))
        assert front["title"] and front["description"], name
        assert front["output-file"] == re.sub(r"^\d+_", "", name.split("/")[-1]) + ".html"


def test_the_introduction_reaches_the_page(pages):
    "nbdev turns the first cell into front matter, whole: what else stands in it would be lost."
    for path in BOOKS:
        first = "".join(read_nb(path).cells[0].source)
        assert re.fullmatch(r"# [^\n]+\n\n> [^\n]+\.\n?", first), path.name


def test_the_code_of_the_course_reaches_the_page(pages):
    "What a notebook defines is read on the site too, unless its cell says `hide`."
    for path in BOOKS:
        shown = "\n".join(sources(pages[name_of(path)]))
        for cell in read_nb(path).cells:
            if cell.cell_type == "code" and not re.match(r"#\| *hide\b", cell.source):
                for line in re.findall(r"^(?:def|class) .*$", cell.source, re.M):
                    assert line in shown, f"{path.name}: {line}"


def test_headings_do_not_skip_levels(pages):
    for name, book in pages.items():
        level = 1
        for depth, text in headings(book):
            assert 2 <= depth <= level + 1 or depth <= level, f"{name}: {'#' * depth} {text}"
            level = depth


def test_links_and_anchors_resolve(pages):
    anchors = {name: {slug(text) for _, text in headings(book)} for name, book in pages.items()}
    for name, book in pages.items():
        for text in sources(book):
            for target, anchor in re.findall(r"\]\(([\w./-]*?\.ipynb)?(?:#([^)\s]+))?\)", text):
                page = (
                    posixpath.normpath(posixpath.join(posixpath.dirname(name), target[:-6]))
                    if target
                    else name
                )
                assert page in pages, f"{name} links to {target}"
                assert not anchor or anchor in anchors[page], f"{name} links to {target}#{anchor}"


def test_images_exist(pages):
    for name, book in pages.items():
        for text in sources(book):
            for target in re.findall(r"!\[[^\]]*\]\(([^)\s]+)", text):
                assert target.startswith("data:") or (ROOT / "nbs" / name).parent.joinpath(target).exists(), (
                    f"{name} shows {target}"
                )


def test_images_reach_the_site():
    "nbdev copies only what its own search finds, and without `recursive` that leaves out the folder of images."
    found = {Path(f).resolve() for f in nbglob(ROOT / "nbs", func=Path, file_glob="", file_re="")}
    assert {p.resolve() for p in (ROOT / "nbs" / "images").glob("*.png")} <= found


def test_the_page_for_what_is_not_there(pages):
    text = (ROOT / "nbs" / "404.qmd").read_text(encoding="utf-8")
    front = yaml.safe_load(text.split("---")[1])
    assert front["title"] and front["description"]
    targets = re.findall(r"\]\((\S+)\)", text)
    assert targets and {Path(t).stem for t in targets} <= set(pages)


def test_cross_references_and_labels(pages):
    for name, book in pages.items():
        labels = [m for text in sources(book) for m in re.findall(r"^#\| *label: *(\S+)", text, re.M)]
        assert len(labels) == len(set(labels)), name
        used = {
            m
            for c in book.cells
            if c.cell_type == "markdown" and c.get("source")
            for m in re.findall(r"@((?:fig|tbl|eq|sec)-[\w-]+)", c.source)
        }
        assert used <= set(labels), f"{name}: {used - set(labels)}"


def test_directives_are_yaml(pages):
    for name, book in pages.items():
        for cell in book.cells:
            if cell.cell_type == "code" and cell.get("source"):
                options = "\n".join(re.findall(r"^#\| (\S+: .*)$", cell.source, re.M))
                assert isinstance(yaml.safe_load(options or "{}"), dict), f"{name}: {options}"
                keys = re.findall(r"^#\| (\S+): ", cell.source, re.M)
                assert len(keys) == len(set(keys)), f"{name}: {keys}, which Quarto refuses"


def test_pages_are_small(pages):
    for name, book in pages.items():
        assert len(str(book)) < LARGEST_PAGE, name


def test_sidebar_lists_every_page_by_the_name_it_has_in_the_table(pages):
    config = yaml.safe_load((ROOT / "_quarto.yml").read_text(encoding="utf-8"))

    def entries(contents):
        for entry in contents:
            if "href" in entry:
                yield entry["href"], entry["text"]
            else:
                yield from entries(entry["contents"])

    names = dict(entries(config["website"]["sidebar"]["contents"]))
    assert sorted(names) == sorted(f"{name_of(p)}.ipynb" for p in BOOKS)
    assert all(text[:2] == name[:2] for name, text in names.items() if name[0].isdigit())
    table = re.findall(r"^\| (\d\d) \| \[([^]]+)\]\(([^)]+)\)", "\n".join(sources(pages["index"])), re.M)
    assert len(table) > 10
    assert [names[name] for _, _, name in table] == [f"{number} {text}" for number, text, _ in table]
    for key in ("favicon", "image"):
        assert (ROOT / "nbs" / config["website"][key]).exists()


def test_no_page_documents_a_function_twice(pages):
    "nbdev puts a `show_doc` behind each `exports` cell whose names the Reference does not list: such a cell is `exporti`."
    for name, book in pages.items():
        twice = [c.source for c in book.cells if getattr(c, "has_sd", False)]
        assert twice == [], name

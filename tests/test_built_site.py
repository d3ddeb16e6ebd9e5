"""The site that Quarto built, in `_docs` (`make docs` makes it; skipped where there is none): whole, and sufficient to itself."""

import ast
import html
import importlib
import inspect
import json
import re
from dataclasses import fields, is_dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from fontTools.ttLib import TTFont  # matplotlib brings it along

ROOT = Path(__file__).resolve().parent.parent
SITE = ROOT / "_docs"
PAGES = sorted(SITE.rglob("*.html"))
NOTEBOOKS = sorted((ROOT / "nbs").rglob("[!_.]*.ipynb"))

pytestmark = pytest.mark.skipif(not PAGES, reason="needs the built site: run `make docs` first")


def text(page):
    return page.read_text(encoding="utf-8")


def page_of(notebook):
    "The page that Quarto makes of a notebook."
    folder = notebook.parent.relative_to(ROOT / "nbs")
    return SITE / folder / (re.sub(r"^\d+_", "", notebook.stem) + ".html")


def place(path):
    "A page's or notebook's place, as a test is called."
    return "/".join(path.with_suffix("").parts[-2:])


def test_every_notebook_has_its_page_and_there_is_one_for_what_is_not_there():
    assert {page_of(p) for p in NOTEBOOKS} | {SITE / "404.html"} == set(PAGES)


@pytest.mark.parametrize("page", PAGES, ids=place)
def test_links_within_the_site_resolve(page):
    anchors = {p: set(re.findall(r'\bid="([^"]+)"', text(p))) for p in PAGES}
    for address in re.findall(r'\b(?:href|src)="([^"]*)"', text(page)):
        parts = urlsplit(address)
        if parts.scheme or parts.netloc or not address or address == "#":
            continue
        if page.name == "404.html" and parts.path.startswith(
            "/"
        ):  # seen from any depth, so from the root of its host
            continue
        target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
        assert target.exists(), f"{page.name} links to {address}"
        if parts.fragment and target in anchors:
            assert unquote(parts.fragment) in anchors[target], f"{page.name} links to {address}"


@pytest.mark.parametrize("page", PAGES, ids=place)
def test_nothing_is_loaded_from_another_host(page):
    loaded = re.findall(r'<(?:script|img|iframe|source)\b[^>]*?\bsrc="([^"]*)"', text(page))
    loaded += re.findall(
        r'<link\b[^>]*?\brel="(?:stylesheet|icon|preload)"[^>]*?\bhref="([^"]*)"', text(page)
    )
    assert [a for a in loaded if urlsplit(a).netloc] == []


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=place)
def test_a_fold_says_what_it_holds(notebook):
    "A cell's own `code-summary`, else what offline.lua finds: the names that the cell defines, or what it is for."
    cells = ["".join(c["source"]) for c in json.loads(text(notebook))["cells"] if c["cell_type"] == "code"]
    folds = [c for c in cells if re.search(r"^#\| code-fold: true$", c, re.M) and not c.startswith("#| hide")]
    page = text(page_of(notebook))
    for cell, summary in zip(
        folds, re.findall(r'<details class="code-fold"[^>]*>\s*<summary>(.*?)</summary>', page), strict=True
    ):
        assert summary != "Code", cell
        if "#| code-summary:" not in cell:
            for patched, name in re.findall(r"^(?:class|def) (?=\w+(?:\(\s*self: (\w+))?)(\w+)", cell, re.M):
                assert f"<code>{patched and patched + '.'}{name}</code>" in summary


def parameters(code):
    "The parameters or fields that the first lines of a definition name, as (name, kind)."
    try:
        (node,) = ast.parse(code).body
    except SyntaxError:  # no body yet
        (node,) = ast.parse(f"{code}\n{'':8}...").body
    inits = [n for n in node.body if isinstance(n, ast.FunctionDef)]
    if isinstance(node, ast.ClassDef) and not inits:
        return [(n.target.id, "field") for n in node.body if isinstance(n, ast.AnnAssign)]
    args = (inits or [node])[0].args
    kinds = {
        "POSITIONAL_OR_KEYWORD": args.args,
        "VAR_POSITIONAL": [args.vararg],
        "KEYWORD_ONLY": args.kwonlyargs,
        "VAR_KEYWORD": [args.kwarg],
    }
    return [(arg.arg, kind) for kind, found in kinds.items() for arg in found if arg]


def true_parameters(thing):
    "The same from the package itself."
    if is_dataclass(thing):
        return [(f.name, "field") for f in fields(thing)]
    if hasattr(thing, "_fields"):
        return [(name, "field") for name in thing._fields]
    if inspect.isclass(thing) and "__init__" not in vars(thing):
        return []
    found = inspect.signature(thing).parameters.values()
    return [(p.name, p.kind.name) for p in found if p.name != "self"]


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=place)
def test_the_reference_has_every_parameter(notebook):
    "And its kind: offline.lua takes signatures from the cells, since show_doc loses the `*` and the fields."
    exported = re.search(r"#\| default_exp ([\w.]+)", text(notebook))
    reference = text(page_of(notebook)).partition('id="reference"')[2]
    entries = re.findall(r'<h3[^>]*>(.*?)</h3>\s*<div class="sourceCode"[^>]*>(.*?)</div>', reference, re.S)
    assert bool(entries) == bool(reference)
    for entry in entries:
        title, code = (html.unescape(re.sub(r"<[^>]+>", "", part)) for part in entry)
        thing = importlib.import_module(f"lesson13.{exported[1]}")
        for part in title.split("."):
            thing = getattr(thing, part)
        assert parameters(code) == true_parameters(thing), title
        assert code.startswith("class ") == inspect.isclass(thing), title


@pytest.mark.parametrize("page", PAGES, ids=place)
def test_page_in_a_browser(open_page, assert_narrow, page):
    shown = open_page(f"http://site.test/{page.relative_to(SITE).as_posix()}", site=SITE, width=380)
    assert_narrow(shown)
    assert shown.title() and shown.locator("meta[name=description]").get_attribute("content")
    shown.set_viewport_size({"width": 1280, "height": 900})
    assert_narrow(shown)
    cut = "graphs => graphs.filter(graph => graph.scrollWidth > graph.clientWidth).length"
    assert shown.locator(".l13-graph").evaluate_all(cut) == 0


def test_a_name_of_the_course_leads_to_its_entry():
    "At its first mention; a name that methods bear too (`backward`) leads nowhere. That the places exist is tested above."
    page = text(SITE / "learner.html")
    assert '<a href="./modules.html#linear" class="name"><code>Linear</code></a>' in page
    assert page.count('<a href="#collate" class="name">') == 1 < page.count("<code>collate</code>")
    assert not re.search(r'class="name"><code>(backward|step|forward)\b', page)
    assert "PyTorch’s" in page and not re.search(r'PyTorch’s\s+<a href="[^"]*" class="name"', page)


def test_search_finds_formulas_in_plain_signs():
    "search.lua makes one line of a formula's signs and its TeX."
    index = json.loads(text(SITE / "search.json"))
    found = {
        page: [e["text"] for e in index if e["objectID"].partition("#")[0] == page.name] for page in PAGES
    }
    for page, texts in found.items():
        formulas = re.findall(r"<annotation[^>]*>([^<]*\\[^<]*)</annotation>", text(page))
        left = [tex for tex in formulas if any(tex.replace("&amp;", "&") in entry for entry in texts)]
        assert left == [], page.name
    assert any("dy/dx = du/dx · dy/du" in entry for entry in found[SITE / "chain_rule.html"])


def test_a_search_leads_into_the_course():
    "Not to the declarations of exercises, nor to the tools."
    pages = {entry["objectID"].partition("#")[0] for entry in json.loads(text(SITE / "search.json"))}
    assert "chain_rule.html" in pages and "pictures/boxes.html" in pages
    assert not [page for page in pages if page.startswith(("exercises/", "tools/"))]


def test_a_search_for_the_chain_rule_leads_to_its_chapter(open_page):
    shown = open_page("http://site.test/data.html", site=SITE, width=1280)
    shown.locator(".aa-Input").fill("chain rule")
    assert "05 The chain rule" in shown.locator(".aa-Item").first.inner_text()


def test_a_page_loads_little_style_and_no_link_for_each_line():
    "trim.lua takes away what no page uses; the whole of it is half a megabyte for each of the two themes."
    styles = list(SITE.glob("site_libs/bootstrap/*.css"))
    assert len(styles) > 2 and all(style.stat().st_size < 200_000 for style in styles)
    assert not any('<a href="#cb' in text(page) for page in PAGES)


def test_an_address_of_a_section_leads_there(open_page):
    "Though what lies above it is laid out late: not so where somebody comes to a heading (site.html)."
    shown = open_page("http://site.test/scalar_autograd.html#recap", site=SITE, width=1280)
    assert 0 <= shown.locator("#recap h2").bounding_box()["y"] < 200
    shown = open_page("http://site.test/scalar_autograd.html", site=SITE, width=1280)
    shown.locator('#TOC a[data-scroll-target="#recap"]').click()
    shown.wait_for_function(
        "Math.abs(document.querySelector('#recap h2').getBoundingClientRect().y - 100) < 100"
    )


def test_a_figure_further_up_is_named_by_its_number():
    page = text(SITE / "chain_rule.html")
    assert re.search(
        r'picture of the whole network \(<a href="#fig-network"[^>]*>Figure&nbsp;\d+</a>\)', page
    )
    assert not any(re.search(r">[^<]*\?@fig-", text(p)) for p in PAGES)


def test_a_page_holds_each_kind_of_live_picture_once(open_page):
    page = text(SITE / "chain_rule.html")
    kinds = re.findall(r'class="l13-live live-(\w+)"', page)
    assert len(kinds) > len(set(kinds)) > 1
    assert {page.count(f"window.picture_{kind} =") for kind in kinds} == {1}
    shown = open_page("http://site.test/chain_rule.html", site=SITE)
    states = "pictures => pictures.map(picture => picture.dataset.live)"
    assert shown.locator(".l13-live").evaluate_all(states) == ["on"] * len(kinds)


def test_a_prediction_hides_the_next_output_but_no_live_picture(open_page):
    shown = open_page("http://site.test/chain_rule.html", site=SITE)
    n_hidden = shown.locator(".waits").count()
    assert n_hidden > 5 and shown.locator(".waits .l13-live").count() == 0
    answer = shown.get_by_text("a + 0.001: d goes from")
    assert not answer.is_visible()
    shown.get_by_role("button", name="Show what happens").first.click()
    assert answer.is_visible() and shown.locator(".waits").count() < n_hidden


def test_formulas_stand_in_the_font_that_comes_along(open_page):
    shown = open_page("http://site.test/log_sum_exp.html", site=SITE)
    shown.evaluate("document.fonts.ready.then(() => true)")
    assert shown.evaluate(
        "[...document.fonts].filter(f => f.family.includes('Maths')).map(f => f.status)"
    ) == ["loaded"]
    formulas = "".join(m for page in PAGES for m in re.findall("<math.*?</math>", text(page), re.S))
    signs = html.unescape(re.sub(r"<annotation.*?</annotation>|<[^>]+>|\s", "", formulas, flags=re.S))
    assert {ord(sign) for sign in signs} - set(TTFont(ROOT / "nbs/fonts/maths.woff").getBestCmap()) == set()


def test_icons_come_from_the_small_font(open_page):
    shown = open_page("http://site.test/training.html", site=SITE)
    shown.evaluate("document.fonts.ready.then(() => true)")
    faces = "[...document.fonts].filter(f => f.family.includes('bootstrap-icons')).map(f => f.status).sort()"
    assert shown.evaluate(faces) == ["loaded", "unloaded"]
    icons = dict(
        re.findall(
            r"\.(bi-[\w-]+)::before . content: .\\\\(\w+)",
            text(SITE / "site_libs/bootstrap/bootstrap-icons.css"),
        )
    )
    used = {
        icon
        for page in [*PAGES, *SITE.glob("site_libs/quarto-*/*.js")]
        for icon in re.findall(r"\bbi-[\w-]+", text(page))
    }
    small = TTFont(ROOT / "nbs/fonts/icons.woff").getBestCmap()
    assert {icon for icon in used & icons.keys() if int(icons[icon], 16) not in small} == set()


def test_a_phone_keeps_short_code_whole_and_small_figures_narrow(open_page):
    "offline.lua says which, site.scss how."
    shown = open_page("http://site.test/training.html", site=SITE, width=380)
    lines = "codes => codes.map(code => code.getClientRects().length).filter(n => n > 0)"  # closed folds have none
    assert set(shown.locator(":is(p, li) > code.short").evaluate_all(lines)) == {1}
    fits = "images => images.map(image => image.getBoundingClientRect().width <= image.parentElement.clientWidth + 1)"
    assert set(shown.locator("main figure img.narrow").evaluate_all(fits)) == {True}


@pytest.mark.parametrize("width", [1280, 380])
def test_figures_keep_their_shape(open_page, width):
    "Whatever room there is; an image that carries its size is stretched otherwise."
    for name in ("index", "matmul", "training", "language_model"):
        shown = open_page(f"http://site.test/{name}.html", site=SITE, width=width)
        shown.evaluate(
            "document.querySelectorAll('img[loading=lazy]').forEach(image => { image.loading = 'eager'; })"
        )
        shown.wait_for_function("[...document.querySelectorAll('main img')].every(image => image.complete)")
        bent = """images => images.filter(image => image.checkVisibility() && !image.closest('.l13-live')).map(image =>
            image.getBoundingClientRect().width / image.getBoundingClientRect().height / (image.naturalWidth / image.naturalHeight))"""
        shapes = shown.locator("main :is(figure, p) img").evaluate_all(bent)
        assert shapes and all(shape == pytest.approx(1, rel=0.02) for shape in shapes), (name, shapes)


def test_a_phone_has_the_contents_in_a_fold(open_page):
    shown = open_page("http://site.test/training.html", site=SITE, width=380)
    shown.locator(".contents-below summary").click()
    assert shown.locator(".contents-below a").first.is_visible()


def test_the_rest_of_a_long_line_hangs_below_its_beginning(open_page):
    "Also on paper, where no line may be cut off; and no line runs below the copy button."
    shown = open_page("http://site.test/data.html", site=SITE, width=1280)
    left = """lines => lines.map(line => [line.textContent.search(/\\S/), parseFloat(getComputedStyle(line).paddingLeft),
        parseFloat(getComputedStyle(line).fontSize) * 0.6])"""
    for indent, padding, letter in shown.locator("pre > code.sourceCode > span").evaluate_all(left):
        assert padding == pytest.approx((max(indent, 0) + 4) * letter, rel=0.05)
    ends = "lines => lines.map(line => line.getBoundingClientRect().right - line.closest('pre').getBoundingClientRect().right)"
    assert max(shown.locator(".code-with-copy > code > span:first-child").evaluate_all(ends)) < -29
    shown.set_viewport_size({"width": 680, "height": 900})
    shown.emulate_media(media="print")
    cut = "blocks => blocks.filter(block => block.scrollWidth > block.clientWidth + 1).length"
    assert shown.locator("main pre").evaluate_all(cut) == 0


def test_paper_is_white_and_wide_tables_fit_on_it(open_page):
    "Also where the screen is dark, which comes back afterwards."
    shown = open_page("http://site.test/benchmarks.html", site=SITE, theme="dark", width=1280)
    ground = "getComputedStyle(document.body).backgroundColor"
    for event, colour in (
        ("beforeprint", "rgb(255, 255, 255)"),
        ("beforeprint", "rgb(255, 255, 255)"),
        ("afterprint", shown.evaluate(ground)),
    ):
        shown.evaluate(f"dispatchEvent(new Event('{event}'))")
        shown.wait_for_function(f"{ground} === '{colour}'")
    shown.set_viewport_size({"width": 680, "height": 900})
    shown.emulate_media(media="print")
    cut = "tables => tables.filter(table => table.scrollWidth > table.clientWidth + 1).length"
    assert shown.locator("main table").evaluate_all(cut) == 0

"""The site that Quarto built, in `_docs` (`make docs` makes it; skipped where there is none): whole, and sufficient to itself."""

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

ROOT = Path(__file__).resolve().parent.parent
SITE = ROOT / "_docs"
PAGES = sorted(SITE.glob("*.html"))
NOTEBOOKS = sorted((ROOT / "nbs").glob("*.ipynb"))

pytestmark = pytest.mark.skipif(not PAGES, reason="needs the built site: run `make docs` first")


def text(page):
    return page.read_text(encoding="utf-8")


def test_every_notebook_has_its_page_and_there_is_one_for_what_is_not_there():
    expected = {re.sub(r"^\d+_", "", p.stem) + ".html" for p in NOTEBOOKS} | {"404.html"}
    assert expected == {p.name for p in PAGES}


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
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
        target = (SITE / unquote(parts.path)).resolve() if parts.path else page
        assert target.exists(), f"{page.name} links to {address}"
        if parts.fragment and target in anchors:
            assert unquote(parts.fragment) in anchors[target], f"{page.name} links to {address}"


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
def test_nothing_is_loaded_from_another_host(page):
    loaded = re.findall(r'<(?:script|img|iframe|source)\b[^>]*?\bsrc="([^"]*)"', text(page))
    loaded += re.findall(
        r'<link\b[^>]*?\brel="(?:stylesheet|icon|preload)"[^>]*?\bhref="([^"]*)"', text(page)
    )
    assert [a for a in loaded if urlsplit(a).netloc] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
def test_page_in_a_browser(open_page, assert_narrow, page):
    shown = open_page(f"http://site.test/{page.name}", site=SITE, width=380)
    assert_narrow(shown)
    assert shown.title() and shown.locator("meta[name=description]").get_attribute("content")
    shown.set_viewport_size({"width": 1280, "height": 900})
    assert_narrow(shown)

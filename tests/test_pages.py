"""Every notebook in a real browser, as a reader without a kernel and without a network meets it."""

from pathlib import Path

import pytest

NOTEBOOKS = sorted(p.stem for p in (Path(__file__).resolve().parent.parent / "nbs").glob("[!_.]*.ipynb"))


def states(page):
    "Whether each live picture of the page runs."
    return page.evaluate(
        "[...document.querySelectorAll('.l13-live')].map(e => e.dataset.live ?? 'not started')"
    )


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_page(open_notebook, assert_narrow, name):
    page = open_notebook(name, width=380)
    assert_narrow(page)
    assert set(states(page)) <= {"on"}


# What the course wrote, in text and output; the colours of code and the marks at headings are nbconvert's own.
OURS, TEMPLATES = ".jp-RenderedMarkdown, .jp-OutputArea-output", [".highlight", ".anchor-link"]


@pytest.mark.slow
@pytest.mark.parametrize("name", NOTEBOOKS)
def test_live_pictures_are_accessible_on_a_phone_and_when_the_theme_changes(open_notebook, axe, name):
    page = open_notebook(name, width=380)
    if states(page):
        assert axe(page) == []
        page.evaluate("document.body.dataset.jpThemeLight = 'false'")
        page.wait_for_function("document.querySelectorAll('.l13-live:not([data-theme=dark])').length === 0")
        assert axe(page) == []


@pytest.mark.slow
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", NOTEBOOKS)
def test_page_is_accessible(open_notebook, axe, name, theme):
    page = open_notebook(name, theme=theme)
    if theme == "dark" and states(page):
        page.wait_for_function("document.querySelectorAll('.l13-live:not([data-theme=dark])').length === 0")
    assert axe(page, OURS, TEMPLATES) == []

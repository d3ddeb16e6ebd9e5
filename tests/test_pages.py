"""Every notebook in a real browser, as a reader without a kernel and without a network meets it."""

from pathlib import Path

import pytest

NBS = Path(__file__).resolve().parent.parent / "nbs"
NOTEBOOKS = sorted(p.relative_to(NBS).with_suffix("").as_posix() for p in NBS.rglob("[!_.]*.ipynb"))
SELDOM = ("exercises/", "tools/")  # pages that few open: looked at in the longer run


def states(page):
    "Whether each live picture of the page runs."
    return page.evaluate(
        "[...document.querySelectorAll('.l13-live')].map(e => e.dataset.live ?? 'not started')"
    )


# What the course wrote, in text and output; the colours of code and the marks at headings are nbconvert's own.
OURS, TEMPLATES = ".jp-RenderedMarkdown, .jp-OutputArea-output", [".highlight", ".anchor-link"]


def switch(page, theme):
    "As a reader does in the editor's settings; waits until every live picture has followed."
    page.evaluate(f"document.body.dataset.jpThemeLight = '{str(theme == 'light').lower()}'")
    wait_for(page, theme)


def wait_for(page, theme):
    page.wait_for_function(f"document.querySelectorAll('.l13-live:not([data-theme={theme}])').length === 0")


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * name.startswith(SELDOM)) for name in NOTEBOOKS]
)
def test_on_a_phone_and_on_a_wide_screen(open_notebook, assert_narrow, axe, name):
    page = open_notebook(name, width=380)
    assert_narrow(page)
    assert set(states(page)) <= {"on"}
    for theme in ("dark", "light") if states(page) else ():
        switch(page, theme)
        assert axe(page) == []
    page.set_viewport_size({"width": 1000, "height": 900})
    assert axe(page, OURS, TEMPLATES) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", NOTEBOOKS)
def test_in_the_dark(open_notebook, axe, name):
    page = open_notebook(name, theme="dark")
    wait_for(page, "dark")
    assert axe(page, OURS, TEMPLATES) == []

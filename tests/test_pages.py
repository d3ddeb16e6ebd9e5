"""Every notebook in a real browser, as a reader without a kernel and without a network meets it."""

from pathlib import Path

import pytest

NOTEBOOKS = sorted(p.stem for p in (Path(__file__).resolve().parent.parent / "nbs").glob("[!_.]*.ipynb"))


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_page(open_notebook, assert_narrow, axe, name):
    page = open_notebook(name, width=380)
    assert_narrow(page)
    states = page.evaluate(
        "[...document.querySelectorAll('.l13-live')].map(e => e.dataset.live ?? 'not started')"
    )
    assert set(states) <= {"on"}
    if states:
        assert axe(page) == []
        page.evaluate("document.body.dataset.jpThemeLight = 'false'")
        page.wait_for_function("document.querySelectorAll('.l13-live:not([data-theme=dark])').length === 0")
        assert axe(page) == []

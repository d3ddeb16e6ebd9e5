"""The live pictures in a real browser: what `Live` promises in pictures/live.ipynb."""

import pytest

from lesson13.pictures import live
from lesson13.pictures.live import Live

START = {"x": 1.0, "low": -2.0, "high": 2.0}


def slope(x=1.0, alt="A tangent on a parabola."):
    return Live("slope", START | {"x": x}, alt=alt)


def still(value):
    import matplotlib.pyplot as plt

    return plt.figure(figsize=(3, 2))


@pytest.fixture
def picture(monkeypatch):
    """`picture(code, value)`: a Live whose script is `code`, with no file behind it."""
    real = live._static

    def picture(code, value=None, **options):
        script = "function mount(root, value, live) {" + code + "}"
        monkeypatch.setattr(live, "_static", lambda name: script if name == "test.js" else real(name))
        return Live("test", value, **{"alt": "A test.", **options})

    return picture


def test_two_pictures_on_a_page_are_independent(open_html):
    page = open_html(slope(1.0)._repr_html_() + slope(1.0)._repr_html_() + slope(-0.5)._repr_html_())
    first, second, third = page.locator(".live-readout").all()
    page.get_by_label("x", exact=True).first.fill("2")
    assert "slope = 2x = 4.0" in first.inner_text()
    assert "slope = 2x = 2.0" in second.inner_text()
    assert "slope = 2x = -1.0" in third.inner_text()
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map(e => e.id)")
    assert len(ids) == len(set(ids)) >= 6


def test_keyboard(open_html):
    page = open_html(slope()._repr_html_())
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowRight")
    assert "slope = 2x = 2.2" in page.locator(".live-readout").inner_text()
    assert page.get_by_label("x", exact=True).get_attribute("aria-valuetext") == "1.1"
    # JupyterLab would take the arrow keys for itself; it looks for this attribute on the focused element only
    assert page.evaluate("document.activeElement.hasAttribute('data-lm-suppress-shortcuts')")


@pytest.mark.parametrize(
    ("mark", "system", "expected"),
    [
        ('data-jp-theme-light="false"', "light", "dark"),
        ('data-jp-theme-light="true"', "dark", "light"),
        ('class="vscode-dark"', "light", "dark"),
        ('class="vscode-light"', "dark", "light"),
        ('class="quarto-dark"', "light", "dark"),
        ('class="quarto-light"', "dark", "light"),
        ('style="background: #101318"', "light", "dark"),
        ('style="background: #fffef8"', "dark", "light"),
        ("", "dark", "dark"),
        ("", "light", "light"),
    ],
)
def test_theme_follows_the_page(open_page, tmp_path, mark, system, expected):
    file = tmp_path / "theme.html"
    file.write_text(
        f"<!doctype html><meta charset=utf-8><body {mark}>{slope()._repr_html_()}", encoding="utf-8"
    )
    page = open_page(file.as_uri(), theme=system)
    assert page.locator(".l13-live").get_attribute("data-theme") == expected


def test_theme_follows_a_later_switch(open_html, picture):
    code = "root.textContent = live.color('--live-bg'); live.onTheme(() => (root.textContent = live.color('--live-bg')));"
    page = open_html(picture(code)._repr_html_())
    assert page.locator(".live-root").inner_text() == "#ffffff"
    page.evaluate("document.body.className = 'quarto-dark'")
    page.wait_for_selector(".l13-live[data-theme=dark]")
    assert page.locator(".live-root").inner_text() == "#14181d"
    page.evaluate("document.body.className = ''")
    page.wait_for_selector(".l13-live[data-theme=light]")
    page.emulate_media(color_scheme="dark")
    page.wait_for_selector(".l13-live[data-theme=dark]")


def test_reduced_motion(open_html, picture):
    shown = picture("root.textContent = String(live.reduced);")._repr_html_()
    assert open_html(shown).locator(".live-root").inner_text() == "false"
    assert open_html(shown, reduced_motion=True).locator(".live-root").inner_text() == "true"


TWO_FRAMES = (
    "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done))))"
)


def test_loop_runs_only_while_it_is_seen(open_html, picture):
    code = """let frames = 0; const loop = live.loop(() => { root.textContent = ++frames; });
        root.append(live.button("Play", () => loop.start())); root.firstChild.click();"""
    page = open_html(picture(code)._repr_html_() + '<div style="height: 5000px"></div>')
    page.wait_for_function("+document.querySelector('.live-root').textContent > 3")
    page.evaluate("window.scrollTo(0, 4000)")
    page.evaluate(TWO_FRAMES)  # in which the browser tells the loop that it is out of sight
    before = page.locator(".live-root").inner_text()
    page.wait_for_timeout(200)
    assert page.locator(".live-root").inner_text() == before
    page.evaluate("window.scrollTo(0, 0)")
    page.wait_for_function(f"+document.querySelector('.live-root').textContent > {before}")


@pytest.mark.abuse
def test_text_stays_text(open_html, picture):
    nasty = {"name": "<script>", "text": '</script><script>window.hacked = 1</script><!-- "\u2028 & é 字'}
    code = "root.append(live.el('p', {}, value.name), live.el('p', {text: value.text}));"
    alt = '"><script>window.hacked = 2</script>'
    page = open_html(picture(code, nasty, alt=alt)._repr_html_())
    assert page.evaluate("[...document.querySelectorAll('.live-root p')].map(p => p.textContent)") == list(
        nasty.values()
    )
    assert page.evaluate("window.hacked") is None
    assert page.locator(".l13-live").get_attribute("aria-label") == alt


def test_nothing_global_is_left_behind(open_html):
    page = open_html(f"<script>const before = new Set(Object.keys(window))</script>{slope()._repr_html_()}")
    assert page.evaluate("Object.keys(window).filter(k => !before.has(k))") == []
    assert page.evaluate("[typeof mount, typeof start, typeof helpers]") == ["undefined"] * 3


def test_the_still_twin_shows_where_no_script_runs(open_html):
    shown = Live("slope", START, alt="A <tangent>.", still=still)._repr_html_()
    page = open_html(shown, scripts=False)
    image = page.get_by_alt_text("A <tangent>.")
    assert image.is_visible() and image.bounding_box()["width"] == 240
    assert open_html(shown).locator("img").count() == 0
    assert (
        open_html(slope(alt="Only <b>words</b>.")._repr_html_(), scripts=False)
        .get_by_text("Only <b>words")
        .is_visible()
    )


def test_a_script_that_fails_leaves_the_still_twin(open_html, picture):
    page = open_html(picture("root.textContent = 'half'; value.no.such;", 1, still=still)._repr_html_())
    assert page.get_by_alt_text("A test.").is_visible()
    assert page.locator(".l13-live").get_attribute("data-live") == "failed"
    assert "live picture: TypeError" in page.errors.pop()


# JupyterLab and VS Code set innerHTML, which runs no script, and then make the scripts anew, each in its own way.
JUPYTERLAB = """for (const old of [...host.querySelectorAll("script")]) {
    const script = document.createElement("script"); script.textContent = old.textContent;
    for (const a of old.attributes) script.setAttribute(a.name, a.value);
    old.parentNode.replaceChild(script, old); } document.body.append(host);"""
VSCODE = """document.body.append(host); for (const old of [...host.querySelectorAll("script")]) {
    const script = document.createElement("script"); script.text = old.innerText;
    if (old.type) script.type = old.type; host.appendChild(script).parentNode.removeChild(script); }"""


@pytest.mark.parametrize("revive", [JUPYTERLAB, VSCODE], ids=["JupyterLab", "VS Code"])
def test_inserted_as_the_editors_do_it(open_html, revive):
    page = open_html("")
    insert = "html => { const host = document.createElement('div'); host.innerHTML = html;" + revive + "}"
    for x in (1.0, 1.0, -1.0):
        page.evaluate(insert, slope(x)._repr_html_())
    assert page.locator("[data-live=on] svg").count() == 3
    page.get_by_label("x", exact=True).nth(1).fill("0.5")
    assert [t.split("= ")[-1] for t in page.locator(".live-readout").all_inner_texts()] == [
        "2.0",
        "1.0",
        "-2.0",
    ]


def test_narrow_window(open_html, assert_narrow):
    page = open_html(slope()._repr_html_(), width=380)
    assert_narrow(page)
    assert page.locator("input[type=range]").bounding_box()["width"] > 100


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_accessible(open_html, axe, theme):
    assert axe(open_html(slope()._repr_html_(), theme=theme)) == []

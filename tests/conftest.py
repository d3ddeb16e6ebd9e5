"""Fixtures for tests in a real browser: headless Chromium with the network cut off.

How to write such a test (all fixtures come by their name, nothing is imported):

    def test_gears(open_notebook):
        page = open_notebook("05_chain_rule")            # a Playwright page that shows nbs/05_chain_rule.ipynb
        gears = page.locator(".live-gears").first        # each live picture has the classes l13-live and live-NAME
        slider = gears.get_by_label("teeth of the first gear")
        slider.focus()
        page.keyboard.press("ArrowRight")
        assert "25" in gears.inner_text()

    def test_one_picture(open_html):
        page = open_html(Live("gears", {...}, alt="...")._repr_html_())

A page that these fixtures opened must be clean at the end of its test: no console error, no uncaught exception, no
request that left the page. The fixtures assert that themselves. A test that provokes an error on purpose empties the
list: `page.errors.clear()`.

Where there is no Chromium the tests are skipped, with the reason; with LESSON13_REQUIRE_BROWSER set they fail.
CHROME=/path/to/chromium names one.
"""

import gc
import json
import os
import shutil
import sys
from html import escape
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

NOTEBOOKS = Path(__file__).resolve().parent.parent / "nbs"
# Files whose tests share what takes seconds to set up.
WHOLE = ("test_benchmarks.py", "test_site.py", "test_train.py")
LONG = (
    "test_notebooks.py",
    "test_pages.py",
    "test_data_parallel.py",
    "test_learn.py",
    "test_start.py",
    *WHOLE,
)
# The shell renders as the others do, but opens no windows: a page costs a third.
CHROMIUMS = (
    "chromium-headless-shell",
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
)
QUIET = (
    "disable-gpu",
    "disable-background-networking",
    "disable-component-update",
    "disable-sync",
    "no-sandbox",
)
# nbconvert's own page asks these hosts for MathJax, require.js, mermaid and the widget runtime. No notebook needs them.
TEMPLATE_HOSTS = ("cdnjs.cloudflare.com", "cdn.jsdelivr.net", "unpkg.com")
SITE_HOST = "http://site.test/"  # there is no such host: its answers come from a folder
# nbformat would import it, and it builds a grammar of addresses for seconds in every worker; no notebook needs it.
sys.modules.setdefault("rfc3987_syntax", None)
PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>A test</title>
<meta name="viewport" content="width=device-width, initial-scale=1"></head><body>{}</body></html>"""


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """What is imported and collected stays to the end: the garbage collector need not look through it again and again."""
    gc.disable()
    result = yield
    gc.freeze()
    gc.enable()
    return result


def pytest_sessionfinish():
    """Nor when Python ends, where each of nbdev's shells asks for it."""
    gc.freeze()


def pytest_collection_modifyitems(items):
    """The long ones first, so that nobody waits for one of them at the end."""
    items.sort(key=lambda item: item.path.name not in LONG)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """With several workers (--dist loadscope) each test goes to whoever is free; only the files of WHOLE are not split."""
    from xdist.scheduler import LoadScopeScheduling

    class Scheduler(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            file = nodeid.partition("::")[0]
            return file if file.endswith(WHOLE) else nodeid

    return Scheduler(config, log)


def find_chromium():
    """The path of a Chromium: the environment variable CHROME, else the first of the usual names; None if there is none."""
    if named := os.environ.get("CHROME"):
        return shutil.which(named)
    return next(filter(None, map(shutil.which, CHROMIUMS)), None)


@pytest.fixture(scope="session")
def browser():
    """One headless Chromium for the whole session; the test is skipped where there is none."""
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    path = find_chromium()
    if path is None:
        give_up = pytest.fail if os.environ.get("LESSON13_REQUIRE_BROWSER") else pytest.skip
        give_up(
            f"needs a browser: none of {', '.join(CHROMIUMS)} is on the path; set CHROME=/path/to/chromium"
        )
    with playwright.sync_playwright() as p:
        chromium = p.chromium.launch(executable_path=path, args=[f"--{flag}" for flag in QUIET])
        yield chromium
        chromium.close()


@pytest.fixture
def open_page(browser):
    """`open_page(url, *, theme="light", width=1000, height=900, reduced_motion=False, scripts=True, site=None) -> page`

    A new, offline browser context shows `url` (a file:// address, or one below SITE_HOST, which is answered with the
    files of the folder `site`). `theme` is what the operating system prefers.
    `page.errors` collects console errors, uncaught exceptions and requests that left the page; it must be empty at
    the end of the test.
    """
    opened = []

    def open_page(
        url, *, theme="light", width=1000, height=900, reduced_motion=False, scripts=True, site=None
    ):
        context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme=theme,
            reduced_motion="reduce" if reduced_motion else "no-preference",
            java_script_enabled=scripts,
            offline=True,
        )
        if site:
            context.route(
                f"{SITE_HOST}**", lambda route: route.fulfill(path=_file_of(site, route.request.url))
            )
        page = context.new_page()
        page.set_default_timeout(15000)
        page.errors = []
        opened.append(page)
        page.on("pageerror", lambda error: page.errors.append(f"exception: {error}"))
        page.on("console", lambda message: page.errors.extend(_complaint(message)))
        page.on("request", lambda request: page.errors.extend(_left_the_page(request)))
        page.goto(url)
        if site and scripts:  # what lies far below is laid out after loading
            page.wait_for_function("!document.querySelector('main section:not(:has(> section), .laid-out)')")
        return page

    yield open_page
    errors = [error for page in opened for error in page.errors]
    for page in opened:
        page.context.close()
    assert not errors, "the page complained:\n" + "\n".join(errors)


def _file_of(site, url):
    """The file that the address `url` stands for. The 404 page, seen from any depth, names the site's own path first."""
    path = unquote(urlsplit(url).path).lstrip("/")
    return site / (path if (site / path).is_file() else path.partition("/")[2])


def _from_template(url):
    return any(f"//{host}/" in url for host in TEMPLATE_HOSTS)


def _complaint(message):
    """A console message as a list of errors: empty for what is no error, and for what nbconvert's page misses offline."""
    text = message.text
    offline = "ERR_INTERNET_DISCONNECTED" in text and _from_template(message.location.get("url", ""))
    return [f"console: {text}"] if message.type == "error" and not offline else []


def _left_the_page(request):
    local = request.url.startswith(("file:", "data:", "blob:", "about:", SITE_HOST))
    return [] if local or _from_template(request.url) else [f"request: {request.url}"]


@pytest.fixture
def open_html(open_page, tmp_path):
    """`open_html(html, **options) -> page`: a page whose body is `html`; the options are those of `open_page`."""
    numbers = iter(range(1000))

    def open_html(html, **options):
        file = tmp_path / f"page{next(numbers)}.html"
        file.write_text(PAGE.format(html), encoding="utf-8")
        return open_page(file.as_uri(), **options)

    return open_html


@pytest.fixture(scope="session")
def notebook_html(tmp_path_factory):
    """`notebook_html(name, theme="light") -> Path`: nbs/NAME.ipynb as HTML, with its saved outputs; made once a session.

    Code is left without colours: they are nbconvert's own, and nine elements of ten.
    """
    folder, made = tmp_path_factory.mktemp("html"), {}
    if (NOTEBOOKS / "images").is_dir():
        shutil.copytree(
            NOTEBOOKS / "images", folder / "images"
        )  # pages name their images relative to themselves

    def notebook_html(name, theme="light"):
        if (name, theme) not in made:
            nbconvert = pytest.importorskip("nbconvert")
            exporter = nbconvert.HTMLExporter(theme=theme, filters={"highlight_code": _plain_code})
            file = made[name, theme] = folder / f"{name}-{theme}.html"
            file.parent.mkdir(exist_ok=True)
            file.write_text(exporter.from_filename(str(NOTEBOOKS / f"{name}.ipynb"))[0], encoding="utf-8")
        return made[name, theme]

    return notebook_html


def _plain_code(source, language=None, metadata=None):
    return f'<div class="highlight"><pre>{escape(source)}</pre></div>'


@pytest.fixture
def open_notebook(open_page, notebook_html):
    """`open_notebook(name, *, theme="light", **options) -> page`: nbs/NAME.ipynb as a reader meets it, without a kernel.

    `name` has no ending: `open_notebook("05_chain_rule", theme="dark", width=380)`. The options are those of `open_page`.
    The page is read from the notebook's saved outputs, so the notebook has to be executed and saved before.
    """

    def open_notebook(name, *, theme="light", **options):
        return open_page(notebook_html(name, theme).as_uri(), theme=theme, **options)

    return open_notebook


@pytest.fixture(scope="session")
def _axe_source():
    axe = pytest.importorskip("axe_core_python", reason="needs axe-core-python")
    return (Path(axe.__file__).parent / "axe.min.js").read_text(encoding="utf-8")


@pytest.fixture
def axe(_axe_source):
    """`axe(page, selector=".l13-live", exclude=()) -> list of str`: what axe-core finds wrong inside `selector`; [] is good."""

    def axe(page, selector=".l13-live", exclude=()):
        page.evaluate(_axe_source)
        run = "s => axe.run(s, {resultTypes: ['violations']}).then(r => JSON.stringify(r.violations))"
        found = json.loads(page.evaluate(run, {"include": [selector], "exclude": list(exclude)}))
        return [
            f"{v['id']}: {v['help']}: {n['html'][:200]} {n['failureSummary']}"
            for v in found
            for n in v["nodes"]
        ]

    return axe


def scrolls_sideways(page):
    """By how many pixels the page is wider than its window."""
    return page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")


@pytest.fixture
def assert_narrow():
    """`assert_narrow(page)`: the page does not scroll sideways; the message names the elements that stick out."""

    def assert_narrow(page):
        wide = """() => [...document.querySelectorAll("body *")].filter(e => e.getBoundingClientRect().right >
            document.documentElement.clientWidth + 1).slice(0, 5).map(e => e.outerHTML.slice(0, 120))"""
        assert scrolls_sideways(page) <= 0, f"{scrolls_sideways(page)} px too wide: {page.evaluate(wide)}"

    return assert_narrow

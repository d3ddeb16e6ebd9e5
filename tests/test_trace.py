"""The step-by-step viewer in a real browser, with the network off: mouse, keyboard, and the two names of one object."""

import functools
import re
import sys

import pytest
import torch

from lesson13.modules import Linear, MSELoss, ReLU, Sequential, Sigmoid, Tanh
from lesson13.pictures.trace import print_steps, trace


def eight_layers():
    layers = [Linear(2, 3, seed=0), ReLU(), Linear(3, 3, seed=1), Tanh(), Linear(3, 3, seed=2), Sigmoid()]
    return Sequential(*layers, Linear(3, 2, seed=3), Linear(2, 1, seed=4))


def picture(model=None, **options):
    generator = torch.Generator().manual_seed(1)
    x, target = torch.randn(3, 2, generator=generator), torch.randn(3, generator=generator)
    return trace(model or eight_layers(), x, target, **{"loss": MSELoss()} | options)


@functools.cache
def eight_layers_page():
    return picture()._repr_html_()


@pytest.fixture
def viewer(open_html):
    page = open_html(eight_layers_page())
    return page.locator("[data-picture] .trace")


def step(viewer):
    return int(viewer.get_attribute("data-step"))


def go(viewer, k):
    viewer.locator("[data-action=scrub]").evaluate(
        "(range, k) => { range.value = k; range.dispatchEvent(new Event('input', {bubbles: true})); }", k
    )
    assert step(viewer) == k


def row(viewer, name):
    return viewer.locator(f'[data-name="{name}"]')


def lit(viewer):
    names = viewer.locator("[data-lit=true]").evaluate_all("rows => rows.map(row => row.dataset.name)")
    return set(names)


def where_gradient_appears(value, name):
    """The step at which the object that `name` means gets its gradient, and that object."""
    names = {}
    for k, s in enumerate(value["steps"]):
        names |= s["names"]
        if names.get(name) in s["grads"]:
            return k, names[name]
    raise AssertionError(f"{name} gets no gradient")


def test_buttons(viewer):
    last = int(viewer.locator("[data-action=scrub]").get_attribute("max"))
    assert last > 30 and step(viewer) == 0
    button = {name: viewer.locator(f"[data-action={name}]") for name in ("first", "prev", "next", "last")}
    assert button["first"].is_disabled() and button["prev"].is_disabled()
    button["next"].click()
    button["next"].click()
    button["prev"].click()
    assert step(viewer) == 1
    button["last"].click()
    assert step(viewer) == last and button["next"].is_disabled()
    button["first"].click()
    assert step(viewer) == 0 and "no layer has run" in viewer.locator("[data-words]").inner_text()


def test_keyboard_alone(viewer):
    page = viewer.page
    next_button = viewer.locator("[data-action=next]")
    for _ in range(6):
        page.keyboard.press("Tab")
        if next_button.evaluate("button => button === document.activeElement"):
            break
    page.keyboard.press("Enter")
    assert step(viewer) == 1
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowLeft")
    assert step(viewer) == 2
    page.keyboard.press("End")
    last = step(viewer)
    assert str(last) == viewer.locator("[data-action=scrub]").get_attribute("max")
    page.keyboard.press("ArrowLeft")  # the button that had the focus is disabled now; the keys still work
    assert step(viewer) == last - 1
    page.keyboard.press("Home")
    assert step(viewer) == 0
    viewer.locator("[data-action=scrub]").focus()
    page.keyboard.press("ArrowRight")
    assert step(viewer) == 1, "one step for one key on the slider"
    assert viewer.locator("[data-action=scrub]").get_attribute("aria-valuetext") == f"1 of {last}"


def test_click_in_the_picture_then_arrow_keys(viewer):
    viewer.locator("[data-where]").click()
    viewer.page.keyboard.press("ArrowRight")
    assert step(viewer) == 1


def test_two_names_of_one_object_light_up_together(viewer):
    value = picture().value
    k, _ = where_gradient_appears(value, "loss.args[0]")
    go(viewer, k - 1)
    names = ("loss.args[0]", "layers[7].out")
    assert [row(viewer, name).get_attribute("data-has-grad") for name in names] == ["false", "false"]
    go(viewer, k)
    assert lit(viewer) == set(names)
    objects = {row(viewer, name).get_attribute("data-object") for name in names}
    assert len(objects) == 1
    cells = [row(viewer, name).locator("[data-grad] td").all_inner_texts() for name in names]
    assert cells[0] == cells[1] and len(cells[0]) == 3
    assert viewer.locator("[data-where]").inner_text() == "loss.bwd"
    assert "add_grad(output" in viewer.locator("[data-current]").inner_text()
    words = viewer.locator("[data-words]").inner_text()
    assert "loss.args[0] gets its gradient, and so does layers[7].out: they are one object" in words


def test_every_gradient_of_eight_layers_appears_in_its_turn(viewer):
    value = picture().value
    order = [where_gradient_appears(value, f"layers[{k}].w")[0] for k in (7, 6, 4, 2, 0)]
    assert order == sorted(order)
    for k in order:
        go(viewer, k)
        assert len(lit(viewer)) == 1 and viewer.locator("[data-current]").count() == 1
    viewer.locator("[data-action=last]").click()
    for k in (0, 2, 4, 6, 7):
        assert row(viewer, f"layers[{k}].w").get_attribute("data-has-grad") == "true"
        assert row(viewer, f"layers[{k}].out").get_attribute("data-object") == "", "used, and let go"


def test_stepping_back_takes_everything_away_again(viewer):
    start = viewer.inner_html()
    viewer.locator("[data-action=last]").click()
    viewer.locator("[data-action=first]").click()
    clean = [
        re.sub(r' (style|aria-pressed|data-lm-suppress-shortcuts)="[^"]*"', "", text)
        for text in (start, viewer.inner_html())
    ]
    assert clean[0] == clean[1]


@pytest.mark.parametrize("width", [1200, 760, 380])
def test_nothing_jumps_from_step_to_step(open_html, width):
    page = open_html(eight_layers_page(), width=width)
    tops = page.locator(".trace").evaluate("""viewer => {
        const range = viewer.querySelector("[data-action=scrub]"), tops = [];
        for (range.value = 0; ; range.value = +range.value + 1) {
            range.dispatchEvent(new Event("input", {bubbles: true}));
            const box = viewer.querySelector(".trace-scroll").getBoundingClientRect();
            tops.push(Math.round(box.top - viewer.getBoundingClientRect().top));
            if (range.value === range.max) return tops;
        }
    }""")
    assert len(tops) == len(picture().value["steps"]) and len(set(tops)) == 1, tops


def test_pointing_at_a_name_shows_all_names_of_the_object(viewer):
    go(viewer, where_gradient_appears(picture().value, "layers[0].out")[0])
    same = viewer.locator("[data-same=true]")
    assert same.count() == 0
    chip = row(viewer, "layers[0].out").locator("button")
    chip.hover()
    assert same.evaluate_all("rows => rows.map(r => r.dataset.name)") == [
        "layers[0].out",
        "layers[1].args[0]",
    ]
    viewer.locator("[data-action=prev]").hover()
    assert same.count() == 0
    chip.click()
    viewer.locator("[data-action=prev]").hover()
    assert same.count() == 2 and chip.get_attribute("aria-pressed") == "true"
    chip.click()
    viewer.locator("[data-action=prev]").hover()
    assert same.count() == 0


def test_the_recorded_numbers_are_the_real_ones():
    model, loss_fn = Sequential(Linear(2, 1, seed=0)), MSELoss()
    x, target = torch.tensor([[1.0, 2.0]]), torch.tensor([0.5])
    value = trace(model, x, target, loss=loss_fn, names={"weights": model.layers[0].w}).value
    names = {}
    for s in value["steps"]:
        names |= s["names"]
    assert names["weights"] == names["layers[0].w"] and names["layers[0].out"] == names["loss.args[0]"]
    grads = {k: cells for s in value["steps"] for k, cells in s["grads"].items()}
    shown = [float(text) for line in grads[names["weights"]] for text, _ in line]
    assert shown == pytest.approx(model.layers[0].w.g.flatten().tolist(), abs=0.006)
    assert value["objects"][names["x"]] == {"shape": [1, 2], "table": [[["1", 0.5], ["2", 1.0]]]}
    sources = [value["sources"][s["source"]][s["line"]] for s in value["steps"][1:]]
    assert any("x @ self.w" in line for line in sources) and any("x.T @ out.g" in line for line in sources)


@pytest.mark.abuse
def test_names_and_text_are_only_text(open_html):
    nasty = {
        "<script>window.hit = 1</script>": torch.ones(2),
        '"><img src=x onerror="window.hit = 1">': torch.ones(1),
    }
    page = open_html(picture(names=nasty)._repr_html_())
    for _ in range(3):
        page.locator("[data-action=next]").click()
    shown = page.locator("[data-name]").evaluate_all("rows => rows.map(r => r.dataset.name)")
    assert set(nasty) <= set(shown)
    assert page.evaluate("window.hit") is None and page.locator(".trace img, .trace script").count() == 0
    page.locator("[data-name]").filter(has_text="<script>").locator("button").click()
    assert page.evaluate("window.hit") is None


def test_large_and_odd_tensors(open_html):
    model = Sequential(Linear(784, 50, seed=0), ReLU(), Linear(50, 1, seed=1))
    x = torch.rand(64, 784, generator=torch.Generator().manual_seed(0))
    x[0, 0], x[0, 1] = torch.nan, torch.inf
    html = trace(model, x, torch.zeros(64), loss=MSELoss())._repr_html_()
    assert len(html) < 300_000
    page = open_html(html)
    viewer = page.locator(".trace")
    viewer.locator("[data-action=last]").click()
    cells = row(viewer, "x").locator("[data-value] td").all_inner_texts()
    assert len(cells) == 25 and cells.count("…") == 9 and cells[:2] == ["nan", "inf"]
    assert "(64, 784)" in row(viewer, "x").inner_text()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_fits_a_phone_and_respects_reduced_motion(open_html, theme):
    page = open_html(eight_layers_page(), theme=theme, width=380, reduced_motion=True)
    viewer = page.locator(".trace")
    assert page.locator("[data-picture]").get_attribute("data-theme") == theme
    for k in (0, 12, 30):
        go(viewer, k)
        assert page.evaluate("document.documentElement.scrollWidth") <= 380
        for name in lit(viewer):  # what the line touched is in view, without the page having scrolled
            inside = row(viewer, name).evaluate(
                "r => { const a = r.getBoundingClientRect(), b = r.closest('.trace-scroll').getBoundingClientRect();"
                " return a.bottom > b.top && a.top < b.bottom; }"
            )
            assert inside or len(lit(viewer)) > 1
    assert page.evaluate("scrollY") == 0
    durations = viewer.locator("[data-lit]").first.evaluate("row => getComputedStyle(row).transitionDuration")
    assert durations == "0s"


def test_on_a_phone_every_step_shows_what_it_lights(open_html):
    page = open_html(eight_layers_page() + '<p style="height: 100vh"></p>', width=380, height=800)
    viewer = page.locator(".trace")
    viewer.evaluate("viewer => viewer.scrollIntoView()")
    top = page.evaluate("scrollY")
    seen = """rows => rows.map(row => {
        const r = row.getBoundingClientRect(), box = row.closest('.trace-scroll').getBoundingClientRect();
        return r.top >= Math.max(0, box.top) - 1 && r.bottom <= Math.min(innerHeight, box.bottom) + 1;
    })"""
    shown = {}
    for k in range(len(picture().value["steps"])):
        go(viewer, k)
        if inside := viewer.locator("[data-lit=true]").evaluate_all(seen):
            shown[k] = any(inside)
    assert len(shown) > 20 and [k for k, some in shown.items() if not some] == []
    assert page.evaluate("scrollY") == top, "the viewer scrolls itself, never the page"


def test_the_picture_in_the_notebook(open_notebook):
    page = open_notebook("09_modules")
    viewer = page.locator(".live-trace .trace").first
    last = viewer.locator("[data-action=last]")
    last.scroll_into_view_if_needed()
    last.click()
    assert row(viewer, "x").get_attribute("data-has-grad") == "true"
    assert row(viewer, "loss.inp").get_attribute("data-object") == row(viewer, "layers[2].out").get_attribute(
        "data-object"
    )


def test_on_paper_an_untouched_run_stands_at_its_end(viewer):
    page = viewer.page
    last = viewer.locator("[data-action=scrub]").get_attribute("max")
    page.evaluate("""() => {
        window.printed = [];
        addEventListener('beforeprint', () => printed.push(document.querySelector('.trace').dataset.step));
    }""")
    page.pdf()
    assert page.evaluate("printed") == [last] and step(viewer) == 0
    go(viewer, 7)
    page.pdf()
    assert page.evaluate("printed") == [last, "7"] and step(viewer) == 7, "a chosen step is printed as it is"


def test_without_scripts_the_still_twin_stands_there(open_html):
    page = open_html(eight_layers_page(), scripts=False)
    assert page.locator("img.live-still").is_visible()


def test_trace_refuses_what_it_cannot_record():
    for model, options in ((Linear(2, 1), {"loss": MSELoss()}), (eight_layers(), {})):
        with pytest.raises(TypeError, match="a Sequential with loss=MSELoss"):
            trace(model, torch.ones(2, 2), torch.ones(2), **options)


def test_a_layer_that_stands_twice_has_two_names(capsys):
    shared = Linear(2, 2, seed=0)
    shown = trace(Sequential(shared, Sequential(Tanh(), shared)), *[torch.ones(3, 2)] * 2, loss=MSELoss())
    print_steps(shown)
    lines = capsys.readouterr().out.splitlines()
    lines = [line for line in lines if "add_grad(" in line]
    assert len(lines) == 1 + 3 + 1 + 3
    assert lines[0].split()[0] == "loss.bwd" and lines[0].split()[-2:] == [
        "loss.args[0].g",
        "layers[1].layers[1].out.g",
    ]
    weights = [line for line in lines if "add_grad(self.w" in line]
    assert [line.split()[0] for line in weights] == ["layers[1].layers[1].bwd", "layers[0].bwd"]


def test_a_debugger_that_watches_is_there_again_afterwards():
    def watcher(*_):
        return None

    before = sys.gettrace()
    for target in (torch.ones(2), torch.ones(3)):  # a run that works, and one that does not
        sys.settrace(watcher)
        try:
            trace(Sequential(Linear(2, 1, seed=0)), torch.ones(2, 2), target, loss=MSELoss())
        except ValueError:
            assert len(target) == 3
        finally:
            after = sys.gettrace()
            sys.settrace(before)
        assert after is watcher


def test_gradients_of_an_earlier_pass_are_not_shown():
    model, x, target = Sequential(Linear(2, 1, seed=0)), torch.ones(2, 2), torch.ones(2)
    x.g = torch.ones(2, 2)
    for _ in range(2):  # the second run finds the gradients of the first
        steps = trace(model, x, target, loss=MSELoss()).value["steps"]
        assert steps[0]["grads"] == {} and any(step["grads"] for step in steps)
    assert x.g.shape == x.shape

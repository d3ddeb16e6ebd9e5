"""The pictures of 04_curve_fitting in a real browser: the training that plays, and the units set by hand."""

import math

import pytest
import torch

from lesson13.curve_fitting import fit_curve
from lesson13.pictures.curve import animate_fits
from lesson13.pictures.units import slide_units


@pytest.fixture(scope="module")
def fits():
    return {
        "square": [fit_curve(torch.square, k, n_steps=60, n_tries=2) for k in (1, 5)],
        "sine": [fit_curve(torch.sin, k, low=-math.pi, high=math.pi, n_steps=60, n_tries=2) for k in (1, 5)],
    }


def errors(page):
    return page.locator(".curve-error").all_inner_texts()


def test_training_by_keyboard(open_html, fits):
    page = open_html(animate_fits(fits)._repr_html_())
    step = page.get_by_label("training step")
    last = [fit.history[-1].error for fit in fits["square"]]
    assert [float(text.split()[1]) for text in errors(page)] == pytest.approx(last, rel=0.06)
    step.focus()
    page.keyboard.press("Home")
    assert step.get_attribute("aria-valuetext") == "0"
    assert len(set(errors(page))) == 1  # every training begins with the same flat line
    page.keyboard.press("ArrowRight")
    assert step.get_attribute("aria-valuetext") == str(fits["square"][0].history[1].step)
    page.keyboard.press("End")
    page.get_by_role("button", name="sine").press("Enter")
    last = [fit.history[-1].error for fit in fits["sine"]]
    assert [float(text.split()[1]) for text in errors(page)] == pytest.approx(last, rel=0.06)
    assert page.get_by_role("button", name="sine").get_attribute("aria-pressed") == "true"
    assert page.get_by_role("button", name="square").get_attribute("aria-pressed") == "false"


@pytest.mark.parametrize("reduced", [False, True], ids=["motion", "reduced motion"])
def test_play_and_pause(open_html, fits, reduced):
    page = open_html(animate_fits(fits)._repr_html_(), reduced_motion=reduced)
    step, start = page.get_by_label("training step"), errors(page)
    page.wait_for_timeout(100)
    assert errors(page) == start  # nothing moves by itself
    page.get_by_role("button", name="Play").click()
    page.wait_for_function("e => +e.value >= 6 && +e.value < +e.max", arg=step.element_handle())
    page.get_by_role("button", name="Pause").press("Space")
    frozen = errors(page)
    page.wait_for_timeout(150)
    assert errors(page) == frozen != start


def test_the_sum_lies_where_python_says(open_html, fits):
    fit = fits["sine"][1]
    page = open_html(fit.animate()._repr_html_())
    points = page.locator(".curve-panel .curve-sum").get_attribute("points").split()
    drawn = [tuple(map(float, point.split(","))) for point in points]
    y = (fit.y.max() - fit.y.min()).item()
    bottom, top = fit.y.min().item() - 0.3 * y, fit.y.max().item() + 0.3 * y
    xs = torch.tensor([(px - 6) / 228 * 2 * math.pi - math.pi for px, _ in drawn])
    ys = torch.tensor([bottom + (144 - py) / 138 * (top - bottom) for _, py in drawn])
    torch.testing.assert_close(fit(xs), ys, rtol=0, atol=0.05)
    assert page.get_by_role("button").all_inner_texts() == [
        "Play"
    ]  # one target needs no buttons to choose it


def test_fits_that_cannot_move_together(fits):
    longer = fit_curve(torch.square, 1, n_steps=61, n_tries=2)
    with pytest.raises(ValueError, match="at least one fit"):
        animate_fits({})
    with pytest.raises(ValueError, match="same n_steps"):
        animate_fits({"square": [*fits["square"], longer]})


def test_sixteen_trainings_of_the_notebook_stay_small():
    "Four targets with 1, 2, 5 and 10 units, 300 steps: under 250 kB, the still twin included."
    fits = {str(k): [fit_curve(torch.sin, n, n_tries=1) for n in (1, 2, 5, 10)] for k in range(4)}
    live = animate_fits(fits)
    assert len(live.json) + len(live._still_html()) < 250_000


@pytest.mark.parametrize("scale", [1.0, 1e-25])
def test_the_best_start_is_kept_whatever_the_heights(scale):
    "Squares of heights near 1e-25 are 0 in float32."
    options = {"low": 2, "high": 4, "n_steps": 60, "n_tries": 5, "seed": 8}  # the first start ends at 0.42
    fit = fit_curve(lambda x: scale * torch.sin(4 * x), 3, **options)
    error = ((fit(fit.x) - fit.y) / scale).square().mean().item()
    assert error < 0.05 and error == pytest.approx(fit.history[-1].error / scale**2, rel=1e-2)


def three_units():
    units = [[1.0, 1.0, 0.0], [1.0, 0.0, 0.0], [1.0, -1.0, 0.0]]
    return slide_units(units, target=[0, 0, 1, 0, 0], bottom=-1, top=2)


def test_units_by_hand(open_html, axe, assert_narrow):
    page = open_html(three_units()._repr_html_(), width=380)
    assert_narrow(page)
    assert axe(page) == []
    readout = page.locator(".live-readout")
    assert "bend at x = −1.0, 0.0, 1.0" in readout.inner_text() and "error: 0.200" in readout.inner_text()
    page.get_by_label("weight of unit 1").fill("1")
    page.get_by_label("weight of unit 2").fill("-2")
    page.get_by_label("weight of unit 3").fill("1")
    assert "error: 0.000" in readout.inner_text()
    page.get_by_label("slope of unit 1").focus()
    page.keyboard.press("ArrowRight")
    assert "bend at x = −0.9" in readout.inner_text()
    page.get_by_role("button", name="Reset").click()
    assert "error: 0.200" in readout.inner_text()


def in_a_box(live, width):
    "The picture as the site shows it: in letters of 17 px, 330 px wide on a phone and 778 px at most."
    return (
        f'<style>:root {{ font-size: 17px; }}</style><div style="width: {width}px">{live._repr_html_()}</div>'
    )


def test_controls_and_picture_fit_on_a_phone(open_html, fits):
    page = open_html(in_a_box(three_units(), 330), width=380)
    assert page.locator(".live-units").bounding_box()["height"] <= 700
    page = open_html(in_a_box(animate_fits(fits), 330), width=380)
    first, second = (panel.bounding_box() for panel in page.locator(".curve-panel").all())
    assert first["y"] == second["y"] and second["width"] > 130  # side by side
    assert page.get_by_role("button", name="Play").bounding_box()["y"] < first["y"]


@pytest.mark.parametrize(("width", "columns"), [(330, 1), (550, 1), (778, 3)])
def test_three_units_stand_in_columns_with_a_legend(open_html, width, columns):
    page = open_html(in_a_box(three_units(), width), width=width + 50)
    assert page.locator(".units-key").all_inner_texts() == ["target", "sum", "one unit"]
    edge = page.locator(".live-units").bounding_box()
    values = [value.bounding_box() for value in page.locator(".live-row .live-value").all()]
    assert all(value["x"] + value["width"] < edge["x"] + edge["width"] - 12 for value in values)
    assert len({value["x"] for value in values}) == columns  # never two and one left over
    letters = page.locator(".live-units svg text").first.evaluate(
        "t => parseFloat(getComputedStyle(t).fontSize) * t.getScreenCTM().a"
    )
    assert 12 <= letters <= 13


def test_narrow_and_accessible(open_html, axe, assert_narrow, fits):
    for theme in ("light", "dark"):
        page = open_html(animate_fits(fits)._repr_html_(), width=380, theme=theme)
        assert_narrow(page)
        assert axe(page) == []

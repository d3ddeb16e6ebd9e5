"""The network on the home page, in a real browser: it reads what is drawn, and its numbers are the package's."""

import pytest
import torch

from lesson13.data import load_data
from lesson13.pictures.reader import digit_reader, read

THREE = [(8, 8), (14, 6), (18, 9), (15, 13), (12, 14), (16, 15), (19, 19), (15, 23), (9, 22)]


@pytest.fixture(scope="module")
def reader():
    "A small trained network, as numbers: least squares on random features, so that no chapter is needed."
    data, g = load_data(), torch.Generator().manual_seed(0)
    w1, b1 = torch.randn(64, 100, generator=g) / 4, torch.randn(100, generator=g) / 4
    hidden = (data.x_train @ w1 + b1).relu()
    w2 = torch.linalg.lstsq(hidden, 8.0 * torch.nn.functional.one_hot(data.y_train, 10)).solution
    return digit_reader(w1, b1, w2, torch.zeros(10), data.x_valid[:12], data.y_valid[:12])


@pytest.fixture
def shown(open_html, reader):
    def shown(**options):
        page = open_html(reader._repr_html_(), **options)
        return page, page.locator(".live-reader")

    return shown


def numbers(picture, name):
    return [float(v) for v in picture.locator(".live-root").get_attribute(f"data-{name}").split()]


def draw(page, picture, points):
    "One stroke on the board by mouse, then the wait until it has been fitted to the board."
    box = picture.locator(".reader-board").bounding_box()
    for k, (x, y) in enumerate(points):
        page.mouse.move(box["x"] + x / 32 * box["width"], box["y"] + y / 32 * box["height"], steps=4)
        if k == 0:
            page.mouse.down()
    page.mouse.up()


def test_its_numbers_are_the_packages(shown, reader):
    "For every digit to choose from, by keyboard: probabilities and slopes."
    page, picture = shown()
    picture.get_by_role("button", name="Walk back").press("Enter")
    for k, (_, counts) in enumerate(reader.value["examples"]):
        picture.locator(".reader-pick").nth(k).press("Enter")
        probs, slopes, best, _ = read(reader.value, torch.tensor(counts) / 16)
        assert numbers(picture, "probs") == pytest.approx(probs.tolist(), abs=2e-5)
        assert numbers(picture, "slopes") == pytest.approx(slopes.tolist(), rel=1e-4, abs=2e-5)
        assert f"reads {best}" in picture.locator(".reader-answer").inner_text()


def test_another_answer_to_compare_with(shown, reader):
    page, picture = shown()
    picture.get_by_role("button", name="Walk back").click()
    x = (torch.tensor(reader.value["examples"][-1][1]) / 16).requires_grad_()
    w1, b1, w2, b2 = (torch.tensor(reader.value["weights"][name]) for name in ("w1", "b1", "w2", "b2"))
    logits = (x @ w1 + b1).relu() @ w2 + b2
    best, worst = logits.argmax().item(), logits.argmin().item()
    picture.locator(".reader-bar").nth(worst).click()
    (logits[best] - logits[worst]).backward()
    assert numbers(picture, "slopes") == pytest.approx(x.grad.tolist(), rel=1e-4, abs=5e-5)
    assert f"for {worst}" in picture.locator(".reader-why").inner_text()


def test_a_drawn_digit_is_counted_in_blocks_and_read(shown, reader):
    page, picture = shown()
    draw(page, picture, THREE)
    page.wait_for_function(
        "document.querySelector('.reader-ink').getBBox().height > 30"
    )  # it has been fitted
    counts = [int(c) for c in picture.locator(".reader-numbers text").all_text_contents()]
    inked = picture.locator(".reader-ink").get_attribute("d").count("M")
    assert sum(counts) == inked > 100
    probs, *_ = read(reader.value, torch.tensor(counts) / 16)
    assert numbers(picture, "probs") == pytest.approx(probs.tolist(), abs=2e-5)
    assert picture.locator(".live-root").get_attribute("data-best") == "3"
    picture.get_by_role("button", name="Clear").click()
    assert "wait for a digit" in picture.inner_text() and picture.locator(".reader-numbers text").count() == 0


def test_by_finger(open_html, reader):
    page = open_html(reader._repr_html_(), width=380)
    picture = page.locator(".live-reader")
    box = picture.locator(".reader-board").bounding_box()
    finger = page.context.new_cdp_session(page)
    for kind, at in (("touchStart", 0.3), ("touchMove", 0.5), ("touchMove", 0.7), ("touchEnd", None)):
        points = [{"x": box["x"] + at * box["width"], "y": box["y"] + at * box["height"]}] if at else []
        finger.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    assert picture.locator(".reader-ink").get_attribute("d").count("M") > 30
    assert picture.locator(".reader-board").evaluate("e => getComputedStyle(e).touchAction") == "none"


@pytest.mark.parametrize(("theme", "width"), [("light", 1000), ("dark", 1000), ("dark", 380)])
def test_everywhere(shown, axe, assert_narrow, theme, width):
    page, picture = shown(theme=theme, width=width)
    assert axe(page) == []
    picture.get_by_role("button", name="Walk back").click()
    assert axe(page) == []
    assert_narrow(page)


def test_a_pressed_button_keeps_its_label_under_the_pointer(shown):
    page, picture = shown()
    button = picture.get_by_role("button", name="Walk back")
    button.click()
    button.hover()
    colours = button.evaluate("e => [getComputedStyle(e).color, getComputedStyle(e).backgroundColor]")
    assert colours[0] != colours[1]


def test_without_scripts(open_html, reader):
    page = open_html(reader._repr_html_(), scripts=False)
    assert page.get_by_role("img", name="A board to draw a digit on").is_visible()

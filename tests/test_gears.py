"""The gears and the secant of 05_chain_rule in a real browser: moved by mouse, keyboard and button, with the right numbers."""

import math

import pytest

from lesson13.chain_rule import Gears
from lesson13.pictures.slope import slide_secant

NOTEBOOK = "05_chain_rule"


def angles(picture):
    """Degrees that each gear has turned, read at one moment."""
    return picture.evaluate("p => [...p.querySelectorAll('[data-gear]')].map(g => +g.dataset.angle)")


def slopes(picture):
    """The slopes of the meshed pairs, and of the whole train."""
    read = "p => [...p.querySelectorAll('[data-ratio], [data-product]')].map(line => +line.dataset.value)"
    return picture.evaluate(read)


def drag(page, gear, start, end, steps=12):
    """Press the mouse at `start` and pull it to `end` along an arc; both in degrees clockwise from the right."""
    box = gear.locator(".gears-hub").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    radius = 0.3 * gear.locator(".gears-body").bounding_box()["width"]
    for k in range(steps + 1):
        turn = math.radians(start + (end - start) * k / steps)
        page.mouse.move(x + radius * math.cos(turn), y + radius * math.sin(turn))
        if k == 0:
            page.mouse.down()
    page.mouse.up()


@pytest.fixture
def pictures(open_html):
    """A page and its two pictures: Gears(24, 12) and Gears(24, 12, 36)."""
    page = open_html(Gears(24, 12)._repr_html_() + Gears(24, 12, 36)._repr_html_())
    two, three = page.locator(".live-gears").all()
    three.scroll_into_view_if_needed()
    return page, two, three


def test_the_notebook_as_a_page_by_mouse_and_by_keyboard(open_notebook):
    page = open_notebook(NOTEBOOK, height=1200)
    two, three = page.locator(".live-gears").all()
    assert angles(two) == [0, 0]
    assert angles(three) == [0, 0, 0]
    assert slopes(two) == pytest.approx([-2, -2])
    assert slopes(three) == pytest.approx([-2, -1 / 3, 2 / 3])
    assert "dy/dx = du/dx · dy/du = (−24/12) · (−12/36) ≈ 0.667" in three.inner_text()

    three.scroll_into_view_if_needed()
    drag(page, three.locator('[data-gear="0"]'), 0, 90)
    assert angles(three) == pytest.approx([90, -180, 60], abs=1.5)
    three.get_by_label("Teeth of gear u").press("ArrowRight")
    assert slopes(three) == pytest.approx([-24 / 13, -13 / 36, 2 / 3])

    two.get_by_role("slider", name="Turn of gear x in degrees").press("ArrowLeft")
    assert angles(two) == [-5, 10]
    assert angles(three)[0] == pytest.approx(90, abs=1.5)
    assert slopes(two) == pytest.approx([-2, -2])


def test_a_gear_turns_by_mouse(pictures):
    page, _, three = pictures
    drag(page, three.locator('[data-gear="0"]'), 0, 90)
    assert angles(three) == pytest.approx([90, -180, 60], abs=1.5)
    turn, *others = angles(three)
    assert others == pytest.approx([-2 * turn, 2 / 3 * turn], abs=1e-4)
    assert "turned −1" in three.inner_text()


def test_a_gear_turns_by_finger_without_moving_the_page(browser, pictures):
    context = browser.new_context(has_touch=True, viewport={"width": 380, "height": 900}, offline=True)
    touch = context.new_page()
    touch.goto(pictures[0].url)
    picture = touch.locator(".live-gears").last
    picture.scroll_into_view_if_needed()
    gear = picture.locator('[data-gear="0"] .gears-body').bounding_box()
    x, y, radius = gear["x"] + gear["width"] / 2, gear["y"] + gear["height"] / 2, 0.3 * gear["width"]
    finger, scrolled = context.new_cdp_session(touch), touch.evaluate("scrollY")
    for degrees in (0, 20, 40, 60, 80, 90):
        at = {
            "x": x + radius * math.cos(math.radians(degrees)),
            "y": y + radius * math.sin(math.radians(degrees)),
        }
        finger.send(
            "Input.dispatchTouchEvent",
            {"type": "touchMove" if degrees else "touchStart", "touchPoints": [at]},
        )
        touch.wait_for_timeout(30)
    finger.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    assert angles(picture)[0] == pytest.approx(90, abs=2)
    assert touch.evaluate("scrollY") == scrolled
    context.close()


def test_more_than_one_turn_and_back(pictures):
    page, _, three = pictures
    first = three.locator('[data-gear="0"]')
    drag(page, first, 20, 20 + 450, steps=40)
    assert angles(three)[0] == pytest.approx(450, abs=2)
    drag(page, first, 100, 100 - 450, steps=40)
    assert angles(three)[0] == pytest.approx(0, abs=4)


def test_the_last_gear_turns_the_first(pictures):
    page, _, three = pictures
    drag(page, three.locator('[data-gear="2"]'), 0, 60)
    assert angles(three) == pytest.approx([90, -180, 60], abs=2)


def test_a_gear_turns_by_keyboard(pictures):
    page, two, three = pictures
    first = three.get_by_role("slider", name="Turn of gear x in degrees")
    first.focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    assert angles(three) == pytest.approx([15, -30, 10])
    assert first.get_attribute("aria-valuenow") == "15"
    assert first.get_attribute("aria-valuetext") == "x 15.0°, u −30.0°, y 10.0°"
    page.keyboard.press("PageUp")
    page.keyboard.press("ArrowDown")
    assert angles(three) == pytest.approx([55, -110, 55 * 2 / 3])
    page.keyboard.press("Home")
    assert angles(three) == [0, 0, 0]
    assert angles(two) == [0, 0]


def test_the_tab_key_reaches_every_control(open_html):
    page = open_html(Gears(24, 12, 36)._repr_html_())
    reached = []
    for _ in range(6):
        page.keyboard.press("Tab")
        focused = "(({lmSuppressShortcuts, ...own}) => JSON.stringify(own))(document.activeElement.dataset)"
        reached.append(page.evaluate(focused))
    assert reached[0] == '{"gear":"0","teeth":"24","angle":"0"}'
    assert reached[1:4] == [f'{{"teethOf":"{k}"}}' for k in range(3)]
    assert reached[4:] == ['{"action":"animate"}', '{"action":"reset"}']


def test_a_slider_changes_teeth_and_slopes(pictures):
    page, two, three = pictures
    middle = three.get_by_label("Teeth of gear u")
    middle.focus()
    page.keyboard.press("ArrowRight")
    assert middle.input_value() == "13"
    assert slopes(three) == pytest.approx([-24 / 13, -13 / 36, 24 / 36])
    assert "du/dx = −24/13 ≈ −1.846" in three.inner_text()
    assert slopes(two) == pytest.approx([-2, -2])


def test_one_turn_is_said_in_a_word(open_html):
    page = open_html(Gears(12, 12)._repr_html_())
    assert "While x turns once, u turns once the other way." in page.locator(".live-gears").inner_text()


def test_a_slider_moves_by_mouse(pictures):
    page, _, three = pictures
    first = three.get_by_label("Teeth of gear x")
    first.scroll_into_view_if_needed()
    box = first.bounding_box()
    page.mouse.click(box["x"] + box["width"] - 2, box["y"] + box["height"] / 2)
    assert first.input_value() == "48"
    assert slopes(three) == pytest.approx([-4, -1 / 3, 4 / 3])
    three.locator('[data-action="reset"]').click()
    assert first.input_value() == "24"
    assert slopes(three) == pytest.approx([-2, -1 / 3, 2 / 3])


def test_the_gears_turn_by_themselves_at_the_true_speeds(pictures):
    page, two, three = pictures
    button = three.locator('[data-action="animate"]')
    button.click()
    page.wait_for_function(
        "p => +p.querySelector('[data-gear]').dataset.angle > 10", arg=three.element_handle()
    )
    assert button.inner_text() == "Stop"
    turn, *others = angles(three)
    assert others == pytest.approx([-2 * turn, 2 / 3 * turn], abs=1e-4)
    button.click()
    rest = angles(three)
    page.wait_for_timeout(150)
    assert angles(three) == rest
    assert angles(two) == [0, 0]


def test_reduced_motion_jumps_instead(open_html):
    page = open_html(Gears(24, 12, 36)._repr_html_(), reduced_motion=True)
    three = page.locator(".live-gears")
    button = three.locator('[data-action="animate"]')
    assert button.inner_text() == "Turn x by 45°"
    button.click()
    page.wait_for_timeout(150)
    assert angles(three) == pytest.approx([45, -90, 30])


def test_the_same_picture_twice_stays_independent(open_html):
    page = open_html(2 * Gears(24, 12, 36, turn=30)._repr_html_())
    left, right = page.locator(".live-gears").all()
    left.get_by_role("slider", name="Turn of gear x in degrees").press("ArrowRight")
    right.get_by_label("Teeth of gear y").press("ArrowLeft")
    assert angles(left) == pytest.approx([35, -70, 70 / 3])
    assert angles(right) == pytest.approx([30, -60, 30 * 24 / 35])
    assert slopes(left)[-1] == pytest.approx(2 / 3)


OVERLAP = """picture => {
  const bodies = [...picture.querySelectorAll(".gears-body")];
  const inside = (a, b) => {  // corners of a that lie inside b
    const to_b = b.getScreenCTM().inverse().multiply(a.getScreenCTM());
    const corners = a.getAttribute("d").slice(1, -1).split("L").map(p => p.split(",").map(Number));
    return corners.filter(([x, y]) => b.isPointInFill(new DOMPoint(x, y).matrixTransform(to_b))).length;
  };
  return bodies.slice(1).map((b, k) => inside(bodies[k], b) + inside(b, bodies[k]));
}"""


STICKS_OUT = """() => {  // corners of any gear that lie outside the drawing
  const svg = document.querySelector(".gears-picture"), frame = svg.getBoundingClientRect();
  return [...svg.querySelectorAll(".gears-body")].flatMap(body => body.getAttribute("d").slice(1, -1).split("L").map(p => {
    const [x, y] = p.split(",").map(Number), at = new DOMPoint(x, y).matrixTransform(body.getScreenCTM());
    return at.x < frame.left || at.x > frame.right || at.y < frame.top || at.y > frame.bottom;
  })).filter(Boolean).length;
}"""


@pytest.mark.parametrize("teeth", [(24, 12, 36), (12, 12), (48, 9), (10, 48, 17)])
def test_teeth_mesh_without_running_into_each_other(open_html, teeth):
    page = open_html(Gears(*teeth)._repr_html_())
    picture = page.locator(".live-gears")
    first = picture.get_by_role("slider", name="Turn of gear x in degrees")
    for _ in range(9):
        first.press("ArrowRight")
        assert picture.evaluate(OVERLAP) == [0] * (len(teeth) - 1)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [380, 1000])
def test_the_picture_fits_and_is_accessible(open_html, assert_narrow, axe, theme, width):
    page = open_html(Gears(24, 12, 36)._repr_html_(), theme=theme, width=width)
    assert_narrow(page)
    assert axe(page) == []
    assert page.evaluate(STICKS_OUT) == 0


def test_the_picture_follows_the_width_of_the_page(open_html):
    page = open_html(Gears(24, 12, 36)._repr_html_())
    before = page.locator('[data-gear="2"]').bounding_box()["width"]
    page.set_viewport_size({"width": 380, "height": 900})
    page.wait_for_function(
        f"document.querySelector('[data-gear=\"2\"]').getBoundingClientRect().width < {0.8 * before}"
    )


def test_without_scripts_the_still_drawing_stands_there(open_html):
    page = open_html(Gears(24, 12, 36)._repr_html_(), scripts=False)
    still = page.get_by_role("img", name="Meshed gears with 24 and 12 and 36 teeth; turning one turns all.")
    assert still.is_visible()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_secant_settles_at_the_slope(open_html, assert_narrow, axe, theme):
    page = open_html(slide_secant(x=1.0, run=2.0)._repr_html_(), theme=theme, width=380)
    assert_narrow(page)
    assert axe(page) == []
    readout = page.locator(".live-readout")
    assert readout.inner_text() == "From x = 1.0 to 3: rise 8 over run 2 = slope 4."
    run = page.get_by_label("run")
    run.focus()
    page.keyboard.press("ArrowRight")
    assert readout.inner_text() == "From x = 1.0 to 2: rise 3 over run 1 = slope 3."
    page.keyboard.press("End")
    slope = float(readout.inner_text().split("slope ")[1].rstrip("."))
    assert slope == pytest.approx(2, abs=2e-3)
    page.get_by_label("x", exact=True).fill("-1")
    assert "slope −1.999" in readout.inner_text()

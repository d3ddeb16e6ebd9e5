"""The boxes and wires of pictures/boxes.ipynb in a real browser: the right numbers, read and changed by mouse, finger and keyboard."""

import pytest
import torch

from lesson13.pictures.boxes import Boxes

NETWORK = (
    {"x1": 2.0, "w1": 3.0, "x2": -1.0, "w2": 2.5, "b": 0.5, "v": -0.5, "t": 1.0},
    (
        "p1 = x1 * w1",
        "p2 = x2 * w2",
        "s = p1 + p2 + b",
        "h = relu(s)",
        "y = h * v",
        "e = y - t",
        "L = e ** 2",
    ),
)
GRAPHS = {
    "network": NETWORK,
    "asleep": (NETWORK[0] | {"b": -9.0}, NETWORK[1]),
    "corner": ({"x": 0.0}, ("y = relu(x)",)),
    "two paths": ({"x": 2.0, "w": -1.5}, ("p = x * x", "q = 3 * x", "r = p + q + x", "y = r * w")),
    "two units": (
        {"x1": 2.0, "x2": -1.0, "w11": 1.0, "w21": 0.5, "w12": -1.5, "w22": 2.0, "v1": 1.5, "v2": -0.5},
        ("p11 = x1 * w11", "p21 = x2 * w21", "h1 = relu(p11)", "p12 = x1 * w12", "p22 = x2 * w22")
        + ("s1 = h1 + p21", "s2 = p12 + p22", "h2 = relu(s2)", "q1 = s1 * v1", "q2 = h2 * v2", "y = q1 + q2"),
    ),
    "every operation": (
        {"a": 1.5, "b": -0.7, "c": 2.0},
        ("u = a * b", "m = -u", "v = tanh(m)", "s = v + c + a", "q = s / c", "i = 1 / q", "k = 2 - i")
        + ("n = k ** 3", "f = exp(n)", "g = log(f)", "z = g - 0.5", "y = z / 4"),
    ),
}
NUMBERS = """picture => Object.fromEntries([...picture.querySelectorAll("[data-box]")].map(
    b => [b.dataset.box, [+b.dataset.value, b.dataset.grad === undefined ? null : +b.dataset.grad]]))"""


def by_pytorch(inputs, lines):
    "name -> (value, gradient of the last line), by PyTorch in double precision."
    names = {n: torch.tensor(v, dtype=torch.float64, requires_grad=True) for n, v in inputs.items()}
    for line in lines:
        name = line.split(" = ")[0]
        exec(line, {f: getattr(torch, f) for f in ("relu", "tanh", "exp", "log")}, names)
        names[name].retain_grad()
    names[name].backward()
    return {n: (t.item(), t.grad.item()) for n, t in names.items()}


def close(numbers):
    return {name: pytest.approx(pair, rel=1e-12, abs=1e-14) for name, pair in numbers.items()}


def numbers(picture):
    return {name: tuple(pair) for name, pair in picture.evaluate(NUMBERS).items()}


def press(picture, action):
    picture.locator(f'[data-action="{action}"]').click()


def words(picture):
    return picture.locator(".boxes-words").inner_text()


def sources(picture):
    """The boxes that are marked, since their numbers were used."""
    return sorted(picture.evaluate("p => [...p.querySelectorAll('[data-source]')].map(b => b.dataset.box)"))


@pytest.fixture
def network(open_html):
    """A page with the network of 00_by_hand, nothing walked yet."""
    page = open_html(Boxes(NETWORK[0], *NETWORK[1], weights=("w1", "w2", "b", "v"))._repr_html_())
    return page.locator(".live-boxes")


@pytest.mark.parametrize("name", GRAPHS)
def test_numbers_equal_pytorch(open_html, name):
    inputs, lines = GRAPHS[name]
    boxes, truth = Boxes(inputs, *lines), close(by_pytorch(inputs, lines))
    assert {n: (boxes.values[n], boxes.grads[n]) for n in boxes.values} == truth
    picture = open_html(boxes._repr_html_()).locator(".live-boxes")
    assert all(grad is None for _, grad in numbers(picture).values())
    press(picture, "all")
    assert numbers(picture) == truth


def test_the_walk_goes_wire_by_wire_and_back(network):
    for _ in range(3):
        press(network, "on")
    seen = {name: grad for name, (_, grad) in numbers(network).items() if grad is not None}
    assert seen == {"L": 1, "e": -6, "y": -6}
    assert "−6 · 1 = −6: what arrives at e from the right, times the local slope" in words(network)
    assert "3 of 14" in network.inner_text()
    press(network, "undo")
    assert numbers(network)["y"] == (-2, None)
    press(network, "clear")
    assert all(grad is None for _, grad in numbers(network).values())
    assert network.locator('[data-action="undo"]').is_disabled()
    press(network, "all")
    assert network.locator('[data-action="on"]').is_disabled()


def test_a_wire_and_a_box_say_where_their_numbers_come_from(network):
    wire = network.locator('[data-wire="v>y"]')
    wire.locator(".boxes-hit").hover(force=True)
    assert "it carries v = −0.5" in words(network) and "slope" not in words(network)
    press(network, "on")
    wire.locator(".boxes-hit").hover(force=True)
    assert "4: the other factor, h = 4" in words(network)
    assert "the walk has not come here yet" in words(network)
    press(network, "all")
    wire.locator(".boxes-hit").hover(force=True)
    assert "−6 · 4 = −24" in words(network)
    assert sources(network) == ["h", "y"]
    network.locator('[data-box="y"]').hover()
    assert "y = h · v = 4 · (−0.5) = −2" in words(network)
    assert "dL/dy = −6 · 1 = −6, along the wire from e" in words(network)
    assert "nudge y up by 0.01, and L goes down by about 0.06" in words(network)


def test_without_a_walk_there_are_values_alone(open_html):
    boxes = Boxes(NETWORK[0], *NETWORK[1], walked=None, weights=("w1",))
    picture = open_html(boxes._repr_html_()).locator(".live-boxes")
    actions = picture.locator("[data-action]").evaluate_all("all => all.map(b => b.dataset.action)")
    assert actions == ["reset"] and "gradient" not in picture.inner_text()
    picture.locator('[data-box="w1"]').focus()
    picture.page.keyboard.press("ArrowRight")
    assert numbers(picture)["s"] == (pytest.approx(4.2), None)


def test_a_long_number_fits_into_its_box(open_html):
    picture = open_html(Boxes({"x": -10.5579, "w": 0.1234}, "u = x * w", walked=-1)._repr_html_())
    assert picture.locator('[data-box="x"] .boxes-value').text_content() == "−10.56"
    assert picture.locator('[data-box="w"] .boxes-value').text_content() == "0.123"


def test_paths_that_meet_add(open_html):
    inputs, lines = GRAPHS["two paths"]
    picture = open_html(Boxes(inputs, *lines)._repr_html_()).locator(".live-boxes")
    for _ in range(7):
        press(picture, "on")
    picture.locator('[data-box="x"]').hover()
    assert "so far" in words(picture)
    press(picture, "all")
    picture.locator('[data-box="x"]').hover()
    assert "−1.5 + (−4.5) + (−3) + (−3) = −12" in words(picture)


def test_a_number_is_dragged_by_mouse(network):
    press(network, "all")
    box = network.locator('[data-box="w2"]').bounding_box()
    mouse = network.page.mouse
    mouse.move(box["x"] + 30, box["y"] + 30)
    mouse.down()
    mouse.move(box["x"] + 50, box["y"] + 30, steps=4)
    mouse.move(box["x"] + 70, box["y"] + 60, steps=4)
    mouse.up()
    moved = NETWORK[0] | {"w2": 3.5}
    assert numbers(network) == close(by_pytorch(moved, NETWORK[1]))
    press(network, "reset")
    assert numbers(network)["w2"][0] == 2.5


def test_by_keyboard_alone(network):
    keyboard = network.page.keyboard
    reached = []
    for _ in range(14):
        keyboard.press("Tab")
        data = network.page.evaluate("({...document.activeElement.dataset})")
        reached.append(
            data.get("action")
            or data.get("box")
            or data.get("wire")
            or ("slider" if "slider" in data else "")
        )
    assert sorted(reached[:8]) == ["L", "b", "t", "v", "w1", "w2", "x1", "x2"]
    assert reached[8:] == ["on", "all", "slider", "descend", "reset", ""]
    network.locator('[data-box="v"]').focus()
    keyboard.press("ArrowRight")
    keyboard.press("PageUp")
    keyboard.press("ArrowDown")
    assert numbers(network)["v"][0] == 0.5
    assert network.locator('[data-box="v"]').get_attribute("aria-valuetext") == "0.5"
    network.locator("[data-slider]").focus()  # it moves what was focused last
    keyboard.press("ArrowLeft")
    assert numbers(network)["v"][0] == 0.4
    network.locator('[data-box="L"]').focus()
    keyboard.press("ArrowLeft")
    assert "from e to L" in words(network)
    assert network.page.evaluate("document.activeElement.hasAttribute('data-lm-suppress-shortcuts')")
    network.locator('[data-action="on"]').focus()
    keyboard.press("Enter")
    assert numbers(network)["L"][1] == 1


def test_by_finger(browser, open_html, tmp_path):
    page = open_html(Boxes(NETWORK[0], *NETWORK[1])._repr_html_(), width=380)
    context = browser.new_context(has_touch=True, viewport={"width": 380, "height": 900}, offline=True)
    touch = context.new_page()
    touch.goto(page.url)
    picture = touch.locator(".live-boxes")
    box = picture.locator('[data-box="w2"]').bounding_box()
    finger = context.new_cdp_session(touch)
    for kind, dx in (
        ("touchStart", 0),
        ("touchMove", 10),
        ("touchMove", -30),
        ("touchMove", -60),
        ("touchEnd", None),
    ):
        at = [] if dx is None else [{"x": box["x"] + 30 + dx, "y": box["y"] + 30}]
        finger.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": at})
        touch.wait_for_timeout(30)
    assert numbers(picture)["w2"][0] == 1
    picture.locator('[data-action="reset"]').tap()
    picture.locator('[data-action="all"]').tap()
    picture.locator('[data-box="h"]').tap()
    assert "h = relu(s) = relu(4) = 4" in words(picture)
    picture.locator('[data-wire="e>L"] .boxes-hit').tap(force=True)
    assert "1 · (−6) = −6: what arrives at L from below, times the local slope" in words(picture)
    picture.locator('[data-box="x2"]').tap()
    picture.locator("[data-slider]").fill("2")
    assert numbers(picture) == close(by_pytorch(NETWORK[0] | {"x2": 2.0}, NETWORK[1]))
    context.close()


def test_steps_against_the_gradients(network):
    weights = NETWORK[0]
    for _ in range(3):
        press(network, "descend")
        grads = by_pytorch(weights, NETWORK[1])
        weights = {n: v - 0.01 * grads[n][1] * (n in ("w1", "w2", "b", "v")) for n, v in weights.items()}
        assert numbers(network)["L"][0] == pytest.approx(by_pytorch(weights, NETWORK[1])["L"][0])
    assert numbers(network)["L"][0] < 2


THROUGH = """picture => [...picture.querySelectorAll(".boxes-line")].filter(line => {  // wires that run through a box
  const ends = line.parentNode.dataset.wire.split(">"), toPicture = line.getScreenCTM();
  const others = [...picture.querySelectorAll(".boxes-box")].filter(b => !ends.includes(b.dataset.box));
  return [...Array(41).keys()].some(i => {
    const at = line.getPointAtLength(i / 40 * line.getTotalLength()).matrixTransform(toPicture);
    return others.map(b => b.querySelector("rect").getBoundingClientRect()).some(
      r => r.left + 1 < at.x && at.x < r.right - 1 && r.top + 1 < at.y && at.y < r.bottom - 1);
  });
}).map(line => line.parentNode.dataset.wire)"""


OVERLAP = """picture => {  // boxes that lie on one another, or outside the drawing
  const frame = picture.querySelector("svg").getBoundingClientRect();
  const boxes = [...picture.querySelectorAll(".boxes-box rect")].map(r => r.getBoundingClientRect());
  const hit = (a, b) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
  const out = a => a.left < frame.left || a.right > frame.right || a.top < frame.top || a.bottom > frame.bottom;
  return boxes.filter((a, i) => out(a) || boxes.some((b, j) => j > i && hit(a, b))).length;
}"""


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [380, 1000])
@pytest.mark.parametrize("name", ["network", "two units", "every operation", "two paths"])
def test_the_picture_fits_and_is_accessible(open_html, assert_narrow, axe, theme, width, name):
    inputs, lines = GRAPHS[name]
    page = open_html(Boxes(inputs, *lines, walked=-1)._repr_html_(), theme=theme, width=width)
    assert_narrow(page)
    assert axe(page) == []
    assert page.locator(".live-boxes").evaluate(OVERLAP) == 0
    assert page.locator(".live-boxes").evaluate(THROUGH) == []


def test_it_turns_when_the_page_becomes_narrow(network):
    svg = network.locator("svg")
    assert svg.get_attribute("data-flat") == "true"
    network.page.set_viewport_size({"width": 380, "height": 900})
    network.page.wait_for_selector('svg[data-flat="false"]')


def test_it_may_start_out_of_sight(open_html):
    """As behind the site's button "Show what happens"."""
    page = open_html(f"<div hidden>{Boxes(NETWORK[0], *NETWORK[1])._repr_html_()}</div>", width=380)
    page.evaluate("document.querySelector('[hidden]').removeAttribute('hidden')")
    page.wait_for_selector('svg[data-flat="false"]')
    assert page.locator(".live-boxes").evaluate(OVERLAP) == 0
    assert page.locator(".live-boxes").evaluate(THROUGH) == []


def test_the_same_picture_twice_stays_independent(open_html):
    page = open_html(2 * Boxes(NETWORK[0], *NETWORK[1])._repr_html_())
    left, right = page.locator(".live-boxes").all()
    press(left, "all")
    assert numbers(left)["w1"] == (3, 6)
    assert numbers(right)["w1"] == (3, None)


def test_without_scripts_the_still_drawing_stands_there(open_html):
    page = open_html(Boxes({"x": 2.0, "w": -3.0}, "u = x * w")._repr_html_(), scripts=False)
    assert page.get_by_role(
        "img", name="Boxes and wires that lead from x = 2, w = −3 to u = −6."
    ).is_visible()

"""The picture of attention in a real browser: pointer, finger and keyboard choose a letter, buttons a head."""

import pytest
import torch

from lesson13.pictures.attention import attention_picture

TEXT = "slopes add up"


@pytest.fixture(scope="module")
def picture():
    g, t = torch.Generator().manual_seed(0), len(TEXT)
    later = torch.ones(t, t, dtype=torch.bool).triu(1)
    heads = {
        f"head {k}": torch.randn(t, t, generator=g).mul(2).masked_fill(later, -torch.inf).softmax(1)
        for k in (1, 2)
    }
    return attention_picture(TEXT, heads)


def at(shown):
    return int(shown.locator(".live-root").get_attribute("data-at"))


def test_letters_and_heads(open_html, picture):
    "What the words say of a letter is its row of weights, by keyboard and by pointer."
    page = open_html(picture._repr_html_())
    shown = page.locator(".live-attention")
    line = shown.get_by_role("slider", name="letter")
    line.focus()
    page.keyboard.press("Home")
    assert at(shown) == 0 and "100 % from “s” (itself)" in shown.inner_text()
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    assert at(shown) == 5
    for head in (1, 2):
        shown.get_by_role("button", name=f"head {head}").click()
        row = picture.value["heads"][head - 1]["rows"][5]
        best = max(range(6), key=row.__getitem__)
        assert (
            f"{round(100 * row[best])} % from “{TEXT[best]}”"
            in shown.locator(".attention-words").inner_text()
        )
        assert len(row) == 6 and sum(row) == pytest.approx(1, abs=0.04)
    shown.locator(".attention-letter").nth(9).hover()
    assert at(shown) == 9 and line.get_attribute("aria-valuetext") == "10: d"


@pytest.mark.parametrize(("theme", "width"), [("light", 1000), ("dark", 380)])
def test_everywhere(open_html, axe, assert_narrow, picture, theme, width):
    page = open_html(picture._repr_html_(), theme=theme, width=width)
    assert axe(page) == []
    assert_narrow(page)


def test_without_scripts(open_html, picture):
    page = open_html(picture._repr_html_(), scripts=False)
    assert page.get_by_role("img", name="How much each letter").is_visible()

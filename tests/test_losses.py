"""The losses against PyTorch over random shapes, dimensions and types; as exact as PyTorch's own."""

import random

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from lesson13.losses import CrossEntropyLoss, cross_entropy, log_softmax, logsumexp, nll_loss, softmax

FLOATS = [torch.float16, torch.bfloat16, torch.float32, torch.float64]
SPECIAL = [0.0, 1.0, -1.0, 1e-30, -40.0, 88.8, 710.0, -750.0, 3e38, -3e38, torch.inf, -torch.inf, torch.nan]
INTEGERS = [torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64]


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    "Tensors this small gain nothing from threads, and threads on a busy machine wait for one another."
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def random_tensor(rng: random.Random, dtype: torch.dtype, max_dims: int = 4) -> torch.Tensor:
    "A tensor of random shape (sizes 0 to 5) and scale; sometimes with infinities and NaN in it."
    shape = [rng.choice([0, 1, 1, 2, 3, 5]) for _ in range(rng.randint(0, max_dims))]
    x = torch.randn(shape, generator=torch.Generator().manual_seed(rng.randrange(2**31)), dtype=torch.float64)
    x *= 10.0 ** rng.choice([-6, -1, 0, 0, 1, 2, 3])
    if x.numel() and rng.random() < 0.3:
        for _ in range(rng.randint(1, x.numel())):
            x.view(-1)[rng.randrange(x.numel())] = rng.choice(SPECIAL)
    return x.to(dtype)


def agree(ours: torch.Tensor, theirs: torch.Tensor) -> None:
    "Equal shape, type, infinities and NaN; close elsewhere, within a few steps of the type."
    eps = torch.finfo(theirs.dtype).eps
    assert_close(ours, theirs, rtol=4 * eps, atol=8 * eps, equal_nan=True)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_agrees_with_pytorch(dtype, seed):
    rng = random.Random(1000 * seed + FLOATS.index(dtype))
    for _ in range(50):
        x = random_tensor(rng, dtype)
        exact = x.double()  # PyTorch's own short types round more often than ours
        dim = rng.randrange(-max(x.ndim, 1), max(x.ndim, 1))
        agree(log_softmax(x, dim), torch.log_softmax(exact, dim).to(dtype))
        agree(softmax(x, dim), torch.softmax(exact, dim).to(dtype))
        dims = rng.sample(range(x.ndim), rng.randint(1, x.ndim)) if x.ndim else (0,)
        dims = tuple(d - x.ndim if x.ndim and rng.random() < 0.5 else d for d in dims)
        for over in (dim, dims):
            for keepdim in (False, True):
                want = torch.logsumexp(exact, over, keepdim).to(dtype)
                agree(logsumexp(x, over, keepdim), want)
                assert torch.logsumexp(x, over, keepdim).shape == want.shape


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_cross_entropy_and_its_gradient(dtype):
    rng = random.Random(7)
    for case in range(60):
        n, n_classes = rng.randint(1, 70), rng.randint(1, 12)
        generator = torch.Generator().manual_seed(case)
        scale = 10.0 ** rng.choice([-3, 0, 1, 3])
        logits = (torch.randn(n, n_classes, generator=generator, dtype=torch.float64) * scale).to(dtype)
        target = torch.randint(n_classes, (n,), generator=generator).to(rng.choice(INTEGERS))
        exact = logits.double().requires_grad_()
        want = F.cross_entropy(exact, target.long())
        want.backward()
        agree(cross_entropy(logits, target), want.detach().to(dtype))
        log_probs = log_softmax(logits)
        agree(nll_loss(log_probs, target), F.nll_loss(log_probs.double(), target.long()).to(dtype))
        loss_fn, eps = CrossEntropyLoss(), torch.finfo(dtype).eps
        assert_close(loss_fn(logits, target), want.detach().to(dtype), rtol=8 * eps, atol=8 * eps)
        loss_fn.backward()
        assert_close(logits.g, exact.grad.to(dtype), rtol=16 * eps, atol=8 * eps)


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
@pytest.mark.parametrize("scale", [1e-3, 1.0, 30.0, 1e4])
def test_as_exact_as_pytorch(dtype, scale):
    "The largest error over many rows is not above PyTorch's own, or a step of the type."
    rows = (torch.randn(500, 10, generator=torch.Generator().manual_seed(0)) * scale).to(dtype)
    eps = torch.finfo(dtype).eps
    for mine, theirs in (
        (logsumexp, torch.logsumexp),
        (log_softmax, torch.log_softmax),
        (softmax, torch.softmax),
    ):
        truth = theirs(rows.double(), -1)
        size = truth.abs().clamp(min=1)
        ours, other = (((f(rows, -1).double() - truth).abs() / size).max() for f in (mine, theirs))
        assert ours <= max(1.5 * other, 2 * eps), (mine.__name__, ours / eps, other / eps)


def test_autograd_goes_through():
    "Nobody needs it here, but a learner may try: the functions are ordinary differentiable PyTorch."
    x = torch.randn(3, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64, requires_grad=True)
    for f in (logsumexp, softmax, log_softmax, lambda x: cross_entropy(x, torch.tensor([0, 3, 1]))):
        assert torch.autograd.gradcheck(f, (x,))


def test_autograd_goes_through_the_module_too():
    logits = torch.randn(3, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert torch.autograd.gradcheck(
        lambda x: CrossEntropyLoss()(x, torch.tensor([0, 3, 1])), (logits.requires_grad_(),)
    )


LOGITS, TARGET = torch.zeros(3, 4), torch.tensor([0, 1, 3])
WRONG = {
    "class too large": (LOGITS, torch.tensor([0, 1, 4]), ValueError, "classes from 0 to 3"),
    "negative class": (LOGITS, torch.tensor([0, -1, 3]), ValueError, "from -1 to 3"),
    "PyTorch's ignore_index": (LOGITS, torch.tensor([0, -100, 3]), ValueError, "-100"),
    "float target": (LOGITS, TARGET.float(), TypeError, "torch.float32"),
    "bool target": (LOGITS, TARGET.bool(), TypeError, "torch.bool"),
    "too few targets": (LOGITS, TARGET[:2], ValueError, r"\(2,\)"),
    "one target": (LOGITS, TARGET[:1], ValueError, r"\(1,\)"),
    "column of targets": (LOGITS, TARGET[:, None], ValueError, r"\(3, 1\)"),
    "one row": (LOGITS[0], TARGET[0], ValueError, r"\(4,\)"),
    "three dimensions": (LOGITS[None], TARGET, ValueError, r"\(1, 3, 4\)"),
    "empty batch": (LOGITS[:0], TARGET[:0], ValueError, "n above 0"),
}


@pytest.mark.parametrize(
    "function", [nll_loss, cross_entropy, CrossEntropyLoss()], ids=["nll", "ce", "module"]
)
@pytest.mark.parametrize("name", WRONG)
def test_what_would_be_silently_wrong_is_refused(function, name):
    logits, target, kind, words = WRONG[name]
    with pytest.raises(kind, match=words):
        function(logits, target)


def test_the_slope_set_by_a_larger_sum_scales_the_gradient():
    logits, loss_fn = torch.randn(3, 4, generator=torch.Generator().manual_seed(1)), CrossEntropyLoss()
    loss_fn(logits, TARGET)
    loss_fn.backward()
    once = logits.g
    logits.g = None
    loss_fn(logits, TARGET).g = torch.tensor(3.0)
    loss_fn.backward()
    assert_close(logits.g, 3 * once)
    assert not len(loss_fn.kept), "after a pass its memory is free"


MOVE = "(s, a) => { s.value = a; s.dispatchEvent(new Event('input', {bubbles: true})); }"


def test_the_slider_shows_where_the_naive_computation_breaks(open_notebook, axe, assert_narrow):
    page = open_notebook("11_log_sum_exp", width=380)
    picture = page.locator(".live-logsumexp").first
    slider, bad = picture.get_by_label("logit a"), picture.locator(".lse-bad")
    assert bad.all_inner_texts() == ["inf", "nan", "nan", "−inf", "−inf"]
    slider.focus()
    for _ in range(4):
        page.keyboard.press("ArrowLeft")  # from 90 to 88, the last half step below 88.72 but one
    assert bad.count() == 0 and "agree" in picture.inner_text()
    slider.evaluate(MOVE, -110)
    assert bad.all_inner_texts() == ["−inf"] and "−111.3" in picture.inner_text()
    assert axe(page, ".live-logsumexp") == []
    assert_narrow(page)


@pytest.mark.parametrize("width", [380, 1280])
def test_nothing_is_cut_or_moves_with_the_slider(open_notebook, width):
    picture = open_notebook("11_log_sum_exp", width=width).locator(".live-logsumexp").first
    if width == 1280:
        picture.evaluate("p => p.style.width = '778px'")  # as wide as on the site
    slider, heights = picture.get_by_label("logit a"), set()
    for a in (-120, -104, -103, -20, -9.5, -1.5, 0, 0.5, 5, 8.5, 17.5, 60.5, 88.5, 89, 99.5, 119.5):
        slider.evaluate(MOVE, a)
        inside = "(p, s) => Math.max(...[...p.querySelectorAll(s)].map(e => e.scrollWidth - e.clientWidth))"
        for part in ".live-scroll", "th, td":
            assert picture.evaluate(inside, part) <= 0, (a, part)
        heights.add(round(picture.bounding_box()["height"]))
    assert len(heights) == 1


def test_the_slider_in_the_dark(open_notebook, axe):
    assert axe(open_notebook("11_log_sum_exp", theme="dark"), ".live-logsumexp") == []

"""The losses against PyTorch over random shapes, dimensions and types, and against mpmath at 50 digits."""

import math
import random
import weakref

import mpmath
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
        loss_fn(logits, target).g = torch.tensor(3.0, dtype=dtype)  # as part of a larger sum
        loss_fn.backward()
        assert_close(logits.g, 3 * exact.grad.to(dtype), rtol=32 * eps, atol=32 * eps)


def ulps(got: float, exact: mpmath.mpf, at_least: float = 0.0) -> float:
    "Distance in units in the last place of the answer (of `at_least`, if that is larger)."
    if math.isinf(float(exact)):  # the answer itself does not fit a float
        return 0.0 if got == float(exact) else math.inf
    return float(abs(mpmath.mpf(got) - exact) / math.ulp(max(abs(float(exact)), at_least)))


def rows_of_floats():
    "Rows of float64 at every scale, and the extremes."
    rng = random.Random(50)
    for n in (1, 2, 3, 10, 100):
        for scale in (1e-12, 1e-3, 1.0, 10.0, 100.0, 700.0, 1e5):
            for _ in range(4):
                yield [rng.gauss(0, scale) for _ in range(n)]
    yield from ([0.0, -40.0], [0.0, -745.0], [0.0, -800.0], [709.8, 709.8], [1e308, 1e308], [-1e308, -1e308])
    yield from ([1.7e308, -1.7e308], [5e-324, 0.0], [1e300, 1e300 * (1 - 1e-16)], [-745.1, -745.2, -746.0])


def test_two_units_in_the_last_place_of_the_truth():
    "Against mpmath with 50 digits and more: the largest is factored out there too, so that no digit cancels."
    with mpmath.workdps(60):
        for row in rows_of_floats():
            x = torch.tensor(row, dtype=torch.float64)
            exact_row = [mpmath.mpf(v) for v in row]
            top = max(exact_row)
            others = list(exact_row)
            others.remove(top)
            log_total = mpmath.log1p(mpmath.fsum([mpmath.exp(v - top) for v in others]))
            # log-sum-exp may cancel to nearly 0; then the largest sets the unit
            assert ulps(logsumexp(x).item(), top + log_total, at_least=abs(float(top))) <= 2, row
            wanted = [v - top - log_total for v in exact_row]
            for got, want in zip(log_softmax(x).tolist(), wanted, strict=True):
                assert ulps(got, want) <= 2, row
            for k in {0, len(row) // 2, len(row) - 1}:
                loss = cross_entropy(x[None], torch.tensor([k])).item()
                assert ulps(loss, -wanted[k]) <= 2, (row, k)


@pytest.mark.parametrize("dtype", FLOATS[:3], ids=str)
def test_short_types_round_once(dtype):
    "Computed with float64's digits, an answer in a shorter type is the nearest one, or next to it."
    with mpmath.workdps(50):
        for row in rows_of_floats():
            x = torch.tensor(row, dtype=torch.float64).to(dtype)
            if len(row) > 10 or not x.isfinite().all():
                continue
            exact = mpmath.log(mpmath.fsum([mpmath.exp(mpmath.mpf(v)) for v in x.tolist()]))
            assert_close(
                logsumexp(x), torch.tensor(float(exact), dtype=torch.float64).to(dtype), rtol=0, atol=0
            )


def test_batches_average_without_losing_digits():
    generator = torch.Generator().manual_seed(3)
    logits = torch.randn(40, 7, generator=generator, dtype=torch.float64) * 30
    target = torch.randint(7, (40,), generator=generator)
    with mpmath.workdps(50):
        losses = []
        for row, k in zip(logits.tolist(), target.tolist(), strict=True):
            others = [mpmath.exp(mpmath.mpf(v) - row[k]) for i, v in enumerate(row) if i != k]
            losses.append(mpmath.log1p(mpmath.fsum(others)))
        assert ulps(cross_entropy(logits, target).item(), mpmath.fsum(losses) / 40) <= 2


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


def test_forget_lets_go_of_the_batch():
    loss_fn = CrossEntropyLoss()
    loss_fn(torch.zeros(3, 4), torch.tensor([0, 3, 1]))
    kept = weakref.ref(loss_fn.exps)
    loss_fn.forget()
    assert kept() is None


LOGITS, TARGET = torch.zeros(3, 4), torch.tensor([0, 1, 3])
WRONG = {
    "class too large": (LOGITS, torch.tensor([0, 1, 4]), ValueError, "numbered from 0 to 3"),
    "negative class": (LOGITS, torch.tensor([0, -1, 3]), ValueError, "from -1 to 3"),
    "PyTorch's ignore_index": (LOGITS, torch.tensor([0, -100, 3]), ValueError, "-100"),
    "float target": (LOGITS, TARGET.float(), TypeError, "torch.float32"),
    "bool target": (LOGITS, TARGET.bool(), TypeError, "torch.bool"),
    "list target": (LOGITS, [0, 1, 3], TypeError, "list"),
    "too few targets": (LOGITS, TARGET[:2], ValueError, r"\(2,\)"),
    "one target": (LOGITS, TARGET[:1], ValueError, r"\(1,\)"),
    "column of targets": (LOGITS, TARGET[:, None], ValueError, r"\(3, 1\)"),
    "one row": (LOGITS[0], TARGET[0], ValueError, r"\(4,\)"),
    "three dimensions": (LOGITS[None], TARGET, ValueError, r"\(1, 3, 4\)"),
    "empty batch": (LOGITS[:0], TARGET[:0], ValueError, "neither of them empty"),
    "no classes": (LOGITS[:, :0], TARGET, ValueError, "neither of them empty"),
    "whole-number logits": (LOGITS.long(), TARGET, TypeError, "int64"),
    "complex logits": (LOGITS.cfloat(), TARGET, TypeError, "complex64"),
    "list logits": ([[0.0, 1.0]], TARGET, TypeError, "list"),
}


@pytest.mark.parametrize(
    "function", [nll_loss, cross_entropy, CrossEntropyLoss()], ids=["nll", "ce", "module"]
)
@pytest.mark.parametrize("name", WRONG)
def test_wrong_input_gets_a_clear_error(function, name):
    logits, target, kind, words = WRONG[name]
    with pytest.raises(kind, match=words):
        function(logits, target)


@pytest.mark.parametrize(
    ("call", "kind"),
    [
        (lambda: logsumexp(torch.arange(3)), TypeError),
        (lambda: logsumexp([1.0, 2.0]), TypeError),
        (lambda: logsumexp(LOGITS, None), TypeError),
        (lambda: logsumexp(LOGITS, "0"), TypeError),
        (lambda: logsumexp(LOGITS, 2), IndexError),
        (lambda: logsumexp(torch.tensor(1.0), 1), IndexError),
        (lambda: logsumexp(LOGITS, (0, -2)), RuntimeError),  # PyTorch's own words: repeated dim
        (lambda: softmax(torch.arange(3)), TypeError),
        (lambda: softmax(LOGITS, 2), IndexError),
        (lambda: log_softmax(LOGITS.bool()), TypeError),
        (lambda: log_softmax(torch.tensor(1.0), 1), IndexError),
    ],
)
def test_wrong_dimensions_and_types(call, kind):
    with pytest.raises(kind):
        call()


@pytest.mark.parametrize("function", [softmax, log_softmax])
@pytest.mark.parametrize("dim", [None, (0, 1), 1.0])
def test_softmax_takes_one_dimension(function, dim):
    with pytest.raises(TypeError, match=rf"^{function.__name__}: dim is .*; give a whole number"):
        function(LOGITS, dim)


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

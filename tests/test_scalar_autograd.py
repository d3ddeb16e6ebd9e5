"""The scalar engine against PyTorch on random graphs, under abuse, and beside the micrograd package."""

import copy
import gc
import inspect
import itertools
import math
import operator
import pickle
import random
import re
import sys
import threading
import time
import tracemalloc
import xml.etree.ElementTree as ET

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from lesson13 import scalar_autograd
from lesson13.pictures import graph
from lesson13.pictures.graph import draw_graph
from lesson13.scalar_autograd import MLP, Neuron, Value, weighted_sum

SEED, EXAMPLES, GRAPHS_EACH = 20130, 250, 8  # 250 · 8 = 2,000 graphs
CORNERS = [0.0, -0.0, 1.0, -1.0, math.inf, -math.inf, math.nan, 1e308, -1e308]

UNARY = {  # name: (ours, PyTorch's)
    "neg": (operator.neg, operator.neg),
    **{
        n: (operator.methodcaller(n), getattr(torch, n))
        for n in "exp log sin cos tanh sigmoid relu abs".split()
    },
    **{f"**{k}": (lambda v, k=k: v**k,) * 2 for k in (-2, -1, -0.5, 0, 0.5, 1, 2, 3, 2.5)},
    **{f"{k}**": (lambda v, k=k: k**v,) * 2 for k in (0, 2, 0.5, -2)},
    **{
        f"{k}{s}": (lambda v, f=f, k=k: f(k, v),) * 2
        for k in (3, 0)
        for s, f in (("-", operator.sub), ("/", operator.truediv))
    },
}
BINARY = {
    **{
        s: (f, f)
        for s, f in (("+", operator.add), ("-", operator.sub), ("*", operator.mul), ("/", operator.truediv))
    },
    "**": (operator.pow, torch.pow),
    "max": (Value.max, torch.maximum),
    "min": (Value.min, torch.minimum),
}


def leaf(x):
    return torch.tensor(x, dtype=torch.float64, requires_grad=True)


def subnormal(x):
    return 0 < abs(x) < 2.3e-308


def same(ours, theirs, scale):
    "Equal to 1e-9 of `scale`; inf and nan must be the same ones."
    if math.isfinite(ours) and math.isfinite(theirs):
        return abs(ours - theirs) <= 1e-9 * max(1.0, abs(theirs), min(scale, sys.float_info.max))
    return ours == theirs or (math.isnan(ours) and math.isnan(theirs))


def jumpy(name, xs, ts):
    "Operations that turn a difference in the last digit into a large one: ties, steps and the sine of huge numbers."
    if xs == ts or name not in ("max", "min", "sin", "cos", "relu", "abs"):
        return False
    return (
        abs(xs[0]) > 1e3
        if name in ("sin", "cos")
        else math.isclose(xs[0], xs[1] if xs[1:] else 0.0, abs_tol=1e-9)
    )


def size_of_terms(root, nodes):
    "For each node the sum of |what was added to its gradient|: where large terms cancel, rounding is judged by it."
    size = {**dict.fromkeys(nodes, 0.0), root: 1.0}
    for node in sorted(nodes, key=lambda v: v._birth, reverse=True):
        for child, slope in zip(node._prev, node._slopes, strict=False):
            size[child] = size.get(child, 0.0) + (abs(slope) * size[node] if slope is not None else 0.0)
    return size


def random_graph(rng, corners):
    "The same random expression, with shared nodes, in both engines: lists of all nodes, and the operations' names."
    draw = (
        (lambda: rng.choice(CORNERS) if rng.random() < 0.5 else rng.uniform(-3, 3))
        if corners
        else lambda: rng.uniform(-3, 3)
    )
    ours = [Value(draw()) for _ in range(rng.randint(1, 4))]
    theirs = [leaf(v.data) for v in ours]
    made = []
    while len(made) < rng.randint(3, 25):
        name = rng.choice([*UNARY, *list(BINARY) * 3])
        at = [rng.randrange(len(ours)) for _ in range(1 if name in UNARY else 2)]
        if jumpy(name, [ours[i].data for i in at], [theirs[i].item() for i in at]):
            continue
        f, g = (UNARY if name in UNARY else BINARY)[name]
        v, t = f(*(ours[i] for i in at)), g(*(theirs[i] for i in at))
        numbers = [abs(x) for slope in v._slopes if slope is not None for x in (slope,)] + [abs(v.data)]
        if any(map(subnormal, numbers)) or (not corners and not all(x < 1e6 for x in numbers)):
            continue  # below 2e-308 the last digits are anyone's; large values would drown the small ones
        t.retain_grad()
        ours.append(v), theirs.append(t), made.append(f"{name}{at}")
    return ours, theirs, made


def compare(ours, theirs, made, corners):
    roots = [-1] if len(ours) < 5 else [-1, len(ours) // 2]  # two losses that share nodes
    for root in roots * 2:  # each of them twice
        ours[root].backward()
        theirs[root].backward(retain_graph=True)
    scale = {}
    for root in roots:
        for v, s in size_of_terms(ours[root], ours).items():
            scale[v] = scale.get(v, 0.0) + 2 * s
    for v, t in zip(ours, theirs, strict=True):
        assert same(v.data, t.item(), 0.0), (made, v, t)
        grad = 0.0 if t.grad is None else t.grad.item()
        assert same(v.grad, grad, scale[v]), (made, v, grad)


def test_two_thousand_random_graphs_agree_with_pytorch(capsys):
    graphs = []

    @seed(SEED)
    @settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.integers(0, 2**32), st.booleans())
    def agree(graph_seed, corners):
        rng = random.Random(graph_seed)
        for _ in range(GRAPHS_EACH):
            compare(*random_graph(rng, corners), corners)
            graphs.append(graph_seed)

    agree()
    with capsys.disabled():
        print(f"\n{len(graphs)} random graphs against PyTorch, seed {SEED}")
    assert len(graphs) >= 2000


@pytest.mark.parametrize("arriving", [1.0, 0.0, math.inf, math.nan])
def test_every_operation_at_every_corner(arriving):
    "Value and slopes, whatever gradient arrives from above."
    for table, arity in ((UNARY, 1), (BINARY, 2)):
        for (name, (f, g)), at in itertools.product(
            table.items(), itertools.product([*CORNERS, 2.0, -0.5], repeat=arity)
        ):
            ours, theirs = [Value(x) for x in at], [leaf(x) for x in at]
            out, expected = f(*ours), g(*theirs)
            (out * arriving).backward()
            (expected * arriving).backward()
            assert same(out.data, expected.item(), 0.0), (name, at)
            for v, t in zip(ours, theirs, strict=True):
                assert same(v.grad, t.grad.item(), 0.0), (name, at, v.grad, t.grad)
            assert math.copysign(1, out.data) == math.copysign(1, expected.item()) or out.data != 0, (
                name,
                at,
            )


def test_negative_to_a_fraction_is_nan_never_complex():
    for power in (Value(-2.0) ** 0.5, Value(-2.0) ** Value(0.5), (-2) ** Value(0.5), Value(-8.0) ** (1 / 3)):
        assert isinstance(power.data, float) and math.isnan(power.data)


# The package's own tests, retold: the same code, with only the import changed


def expression_with_relu(x):
    z = 2 * x + 2 + x
    q = z.relu() + z * x
    return (z * z).relu() + q + q * x


def expression_with_updates(a, b):
    c, d = a + b, a * b + b**3
    c += c + 1
    c += 1 + c + (-a)
    d += d * 2 + (b + a).relu()
    d += 3 * d + (b - a).relu()
    f = (c - d) ** 2
    g = f / 2.0
    g += 10.0 / f
    return g


@pytest.mark.parametrize(
    "function, at", [(expression_with_relu, (-4.0,)), (expression_with_updates, (-4.0, 2.0))]
)
def test_drop_in_expressions(function, at):
    ours, theirs = [Value(x) for x in at], [leaf(x) for x in at]
    out, expected = function(*ours), function(*theirs)
    out.backward()
    expected.backward()
    assert out.data == pytest.approx(expected.item(), rel=1e-12)
    assert [v.grad for v in ours] == pytest.approx([t.grad.item() for t in theirs], rel=1e-12)


def two_moons():
    from sklearn.datasets import make_moons

    points, labels = make_moons(100, noise=0.1, random_state=1)
    return points, labels * 2 - 1


def demo_loss(model, value_type, points, labels):
    "Forward as in the package's demo: NumPy numbers in, hinge loss and L2 out."
    scores = [model([value_type(x) for x in point]) for point in points]
    hinge = [(1 + -y * score).relu() for y, score in zip(labels, scores, strict=True)]
    loss = sum(hinge) * (1.0 / len(hinge)) + 1e-4 * sum(p * p for p in model.parameters())
    return loss, [(y > 0) == (score.data > 0) for y, score in zip(labels, scores, strict=True)]


def demo_step(model, value_type, points, labels, learning_rate=0.9):
    loss, right = demo_loss(model, value_type, points, labels)
    model.zero_grad()
    loss.backward()
    for p in model.parameters():
        p.data -= learning_rate * p.grad
    return loss.data, sum(right)


def models(mlp):
    random.seed(1337)
    return mlp(2, [16, 16, 1])


def test_drop_in_demo_trains_to_the_same_numbers():
    engine, nn = pytest.importorskip("micrograd.engine"), pytest.importorskip("micrograd.nn")
    points, labels = two_moons()
    ours, theirs = models(MLP), models(nn.MLP)
    assert repr(ours) == repr(theirs) and len(ours.parameters()) == len(theirs.parameters()) == 337
    for step in range(2):
        loss, right = demo_step(ours, Value, points[:20], labels[:20])
        other_loss, other_right = demo_step(theirs, engine.Value, points[:20], labels[:20])
        assert (loss, right) == (pytest.approx(other_loss, rel=1e-9), other_right), step
    assert [p.data for p in ours.parameters()] == pytest.approx(
        [p.data for p in theirs.parameters()], rel=1e-7
    )


def seconds(*steps, repeat):
    "The best time of each, taken in turn, with the collector on as in ordinary use."
    times = [[] for _ in steps]
    for _ in range(repeat):
        for step, taken in zip(steps, times, strict=True):
            gc.collect()
            start = time.process_time()
            step()
            taken.append(time.process_time() - start)
    return [min(taken) for taken in times]


def bytes_and_nodes(make):
    gc.collect()
    tracemalloc.start()
    out = make()
    out.backward()
    gc.collect()
    n_bytes = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return n_bytes, graph._collect(out, 0)[1]


def test_faster_and_smaller_than_micrograd(capsys):
    engine, nn = pytest.importorskip("micrograd.engine"), pytest.importorskip("micrograd.nn")
    points, labels = two_moons()
    sides = [(models(MLP), Value), (models(nn.MLP), engine.Value)]
    steps = [lambda m=m, v=v: demo_step(m, v, points[::2], labels[::2]) for m, v in sides]
    ours, theirs = seconds(*steps, repeat=2)
    graph = lambda v: sum((v(0.1 * i) * v(2.0) + v(1.0)).relu() for i in range(100)) * v(0.5)
    (our_bytes, our_nodes), (their_bytes, their_nodes) = (
        bytes_and_nodes(lambda v=v: graph(v)) for _, v in sides
    )
    (our_step, n), (their_step, m) = (
        bytes_and_nodes(lambda side=side: demo_loss(*side, points[:10], labels[:10])[0]) for side in sides
    )
    with capsys.disabled():
        print(f"\nMLP(2, [16, 16, 1]), 50 points: {theirs / ours:.1f} times faster than micrograd")
        print(
            f"the same graph, node for node: {our_bytes / our_nodes:.0f} and {their_bytes / their_nodes:.0f} bytes a node"
        )
        print(f"a whole step: {n:,} nodes in {our_step:,} bytes and {m:,} nodes in {their_step:,} bytes")
    assert our_nodes == their_nodes
    assert our_bytes / our_nodes <= 0.5 * their_bytes / their_nodes
    assert our_step / n <= 0.6 * their_step / m and our_step <= 0.15 * their_step
    assert theirs / ours >= 5


# No recursion, no cycles, the same order every time


def on_a_small_stack(work):
    """Run in a thread with a stack of 2 MiB, which recursion over a million nodes would end; return what it returns.

    (Python 3.13 frees objects within one another to a depth of some thousands, and needs 700 KiB for that.)
    """
    out = []
    old = threading.stack_size(2 * 2**20)
    try:
        thread = threading.Thread(target=lambda: out.append(work()))
        thread.start()
        thread.join()
    finally:
        threading.stack_size(old)
    assert out, "the work did not finish"
    return out[0]


def test_a_million_operations_forward_backward_drawn_shown_copied_and_freed():
    def work():
        x = total = Value(0.5)
        for _ in range(1_000_000):
            total = total + x
        total.backward()
        picture, copied = draw_graph(total, max_nodes=10), copy.deepcopy(total)
        text, grad, data = repr(total), x.grad, total.data
        del total, x
        return picture, copied.data, text, grad, data

    picture, copied, text, grad, data = on_a_small_stack(work)
    assert "10 of 1,000,001 nodes" in picture
    assert grad == 1_000_001.0 and data == copied == 500_000.5 and text == "Value(data=500000.5, grad=1.0)"


def count_values():
    return sum(type(o) is Value for o in gc.get_objects())


def test_a_dropped_graph_is_freed_at_once():
    gc.collect()
    gc.disable()
    try:
        before = count_values()
        model = MLP(2, [4, 1])
        loss = (model([0.1, 0.2]) - 1) ** 2 / 3 + model([1, 2]).tanh()
        loss.backward()
        assert count_values() > before + 30
        del loss, model
        assert count_values() == before
    finally:
        gc.enable()


def test_children_keep_their_order_and_runs_repeat_bit_for_bit():
    a, b = Value(1.0), Value(2.0)
    assert (a - b)._prev == (a, b) and (a * a)._prev == (a, a) and (b / a)._prev[0] is b
    assert [v.data for v in (3 - a)._prev] == [3.0, 1.0]

    def run():
        rng = random.Random(5)
        values = [Value(rng.uniform(-1, 1)) for _ in range(10)]
        for _ in range(300):
            values.append((rng.choice(values) * rng.choice(values) + rng.choice(values)).tanh())
        sum(values).backward()
        return [v.grad.hex() for v in values]

    assert run() == run()


def test_second_backward_and_two_losses_as_with_retain_graph():
    results = []
    for make in (Value, leaf):
        x = make(1.5)
        shared = x * x
        one, two = shared * x, shared + 3 * x
        for loss in (one, two, one, two, shared):
            loss.backward(**({} if make is Value else {"retain_graph": True}))
        results.append(float(x.grad))
    assert results[0] == pytest.approx(results[1], rel=1e-15)


def test_data_changed_after_the_forward_pass_does_not_change_its_slopes():
    w = Value(3.0)
    out = w * 2 + w * w
    w.data = 100.0
    out.backward()
    assert w.grad == 2 + 6


def test_an_operation_of_your_own():
    x = Value(2.0)
    out = Value(x.data**4, (x,), "fourth", (4 * x.data**3,)) * 2
    out.backward()
    assert x.grad == 64.0 and out._prev[0]._op == "fourth"


# Operands


OPERATORS = [operator.add, operator.sub, operator.mul, operator.truediv, operator.pow]
NUMPY_TYPES = [np.float16, np.float32, np.float64, np.int8, np.int64, np.uint8]


@pytest.mark.parametrize(
    "number", [3, 3.0, True, *(t(3) for t in NUMPY_TYPES)], ids=lambda n: type(n).__name__
)
def test_plain_and_numpy_numbers_on_either_side(number):
    for op in [*OPERATORS, operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne]:
        v = Value(2.0)
        for out, expected in (
            (op(v, number), op(2.0, float(number))),
            (op(number, v), op(float(number), 2.0)),
        ):
            assert (out.data if isinstance(out, Value) else out) == pytest.approx(expected)
            assert type(out) in (Value, bool)


@pytest.mark.parametrize(
    "array", [np.ones(3), np.ones((2, 2)), torch.ones(3), [1.0, 2.0]], ids=lambda w: type(w).__name__
)
def test_an_array_is_never_taken_for_a_number(array):
    v = Value(2.0)
    for op in [*OPERATORS, operator.lt, operator.ge]:
        for left, right in ((v, array), (array, v)):
            with pytest.raises((TypeError, ValueError)):
                op(left, right)
    for f in (Value, v.max, lambda w: weighted_sum([w], [1.0]), lambda w: weighted_sum([1.0], [1.0], w)):
        with pytest.raises((TypeError, ValueError)):
            f(array)


def test_what_would_be_silently_wrong_is_refused():
    for inputs in ([1.0], [1.0, 2.0, 3.0]):
        with pytest.raises(ValueError, match="zip"):
            Neuron(2)(inputs)
    with pytest.raises(ValueError, match="zip"):  # an operation of your own without its slopes
        Value(4.0, (Value(2.0),), "square").backward()
    with pytest.raises(TypeError, match="got float"):
        draw_graph(3.0)


def test_comparisons_equality_and_hash():
    a, b, same_as_a = Value(1.0), Value(2.0), Value(1.0)
    assert a < b and b > a and a <= 1 and a == same_as_a and a != b and a == 1 and not a == "1"
    assert len({a, same_as_a}) == 2 and max(a, b) is b and sorted([b, a])[0] is a
    assert not Value(math.nan) == Value(math.nan)


def test_copies_and_pickles_are_leaves():
    a = Value(2.0)
    model = MLP(2, [3, 1])
    again = pickle.loads(pickle.dumps(model))
    assert [p.data for p in again.parameters()] == [p.data for p in model.parameters()]
    assert copy.copy(a * 3)._prev == () == pickle.loads(pickle.dumps(a * 3))._prev


def test_a_network_of_one_input_and_narrow_layers():
    random.seed(0)
    model = MLP(1, [3, 1, 2])
    out = model([0.5])
    assert len(out) == 2 and all(isinstance(v, Value) for v in out)


def test_weighted_sum_is_the_sum_of_products():
    rng = random.Random(0)
    for n in (0, 1, 7):
        parts = [[Value(rng.uniform(-1, 1)) for _ in range(n)] for _ in range(2)]
        bias = Value(0.3)
        weighted_sum(*parts, bias).tanh().backward()
        grads = [v.grad for v in (*parts[0], *parts[1], bias)]
        for v in (*parts[0], *parts[1], bias):
            v.grad = 0.0
        sum((w * x for w, x in zip(*parts, strict=True)), bias).tanh().backward()
        assert [v.grad for v in (*parts[0], *parts[1], bias)] == pytest.approx(grads, rel=1e-12)


# The picture


def boxes(svg):
    root = ET.fromstring(svg)
    tag = "{http://www.w3.org/2000/svg}"
    rects = [tuple(float(r.get(k)) for k in ("x", "y", "width", "height")) for r in root.iter(tag + "rect")]
    return root, rects, [t.text for t in root.iter(tag + "text")]


def thirty_nodes():
    random.seed(1)
    model = MLP(2, [2, 1])
    x = [Value(0.5), Value(-1.0)]
    hidden = [sum((w * v for w, v in zip(n.w, x, strict=True)), n.b).tanh() for n in model.layers[0].neurons]
    last = model.layers[1].neurons[0]
    out = (sum((w * h for w, h in zip(last.w, hidden, strict=True)), last.b) - 1) ** 2
    return out


def test_picture_is_complete_readable_and_described():
    out = thirty_nodes()
    out.backward()
    svg = draw_graph(out, {"loss": out})
    root, rects, texts = boxes(svg)
    nodes, total = graph._collect(out, 1000)
    assert len(rects) == total >= 25
    for one, other in itertools.combinations(rects, 2):
        assert abs(one[0] - other[0]) >= one[2] or abs(one[1] - other[1]) >= one[3] + 8, "boxes touch"
    width, height = map(float, root.get("viewBox").split()[2:])
    assert all(0 <= x and x + w <= width and 0 <= y and y + h <= height for x, y, w, h in rects)
    for node in nodes:
        assert f"data {node.data:.4g}" in texts and f"grad {node.grad:.4g}" in texts
    assert root.get("role") == "img" and root[0].tag.endswith("title") and "loss: data" in root[1].text
    assert "currentColor" in svg and not re.search(r"#[0-9a-f]{3,6}|rgb|black|white", svg)
    assert svg == draw_graph(out, {"loss": out})


def test_picture_escapes_names_and_takes_micrograds_graphs():
    v = Value(1.0) * 2
    svg = draw_graph(v, {"<script>alert(1)</script>": v})
    assert "<script>" not in svg and boxes(svg)
    assert len(boxes(draw_graph(Value(1.0)))[1]) == 1 and len(boxes(draw_graph(v, max_nodes=0))[1]) == 1
    engine = pytest.importorskip("micrograd.engine")
    assert len(boxes(draw_graph(engine.Value(2.0) * 3 + 1))[1]) == 5


def test_a_wide_picture_scrolls_on_a_phone_and_shrinks_on_paper(open_html):
    x = Value(0.5)
    for _ in range(12):
        x = x + 1.0
    page = open_html(draw_graph(x)._repr_html_(), width=380)
    width = "document.querySelector('.l13-graph svg').getBoundingClientRect().width"
    assert page.evaluate(width) > 1000 > 380 >= page.evaluate("document.documentElement.scrollWidth")
    page.emulate_media(media="print")
    assert page.evaluate(width) <= 380


# Small enough to read


def test_the_engine_stays_short():
    lines = sum(bool(line.strip()) for line in inspect.getsource(scalar_autograd).splitlines())
    assert lines < 260 and len(inspect.getsource(Value).splitlines()) < 60, lines
    assert not re.search("import (torch|numpy)", inspect.getsource(scalar_autograd))

"""`check` in the learner's session: nothing that learners write stops it or changes the session, and reports stay short."""

import os
import random
import signal
import sys
import threading
import time

import numpy
import pytest
import torch

import lesson13.tools.progress as kept
from lesson13 import checking
from lesson13.checking import EXERCISES, check, hint, solution

checking.load_exercises()


@pytest.fixture(autouse=True)
def quiet_destructors(monkeypatch):
    "The alarm may ring in a destructor, where Python only reports it; the next ring must not break pytest's own report."
    monkeypatch.setattr(sys, "unraisablehook", lambda unraisable: None)


@pytest.fixture(autouse=True)
def fresh(tmp_path, monkeypatch):
    "Every test starts with no progress, outside any learner's folder."
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(kept, "SESSION", {})
    monkeypatch.setattr(checking, "HINTS_GIVEN", {})


def endless(*inputs):
    while True:
        pass


def endless_and_deaf(*inputs):
    while True:
        try:
            while True:
                pass
        except BaseException:
            pass


def endless_with_bare_except(*inputs):
    while True:
        try:
            torch.zeros(2) @ torch.zeros(3)
        except:  # noqa: E722
            pass


def endless_printing(*inputs):
    while True:
        print("again" * 100)


def recursive(*inputs):
    return recursive(*inputs)


def leaving(error):
    def leave(*inputs):
        raise error

    return leave


def changes_settings(*inputs):
    torch.set_default_dtype(torch.float64)
    torch.set_grad_enabled(False)
    torch.manual_seed(1)
    random.seed(1)
    numpy.random.seed(1)
    torch.set_num_threads(3)
    os.chdir("/")
    return inputs[0]


def spoils_inputs(*inputs):
    for value in inputs:
        if isinstance(value, torch.Tensor):
            value.resize_(7, 7).fill_(3.0)
            value.g = "no gradient"
        elif isinstance(value, list | dict):
            value.clear()
        else:
            vars(value).clear()


def edits_data(*inputs):
    for value in inputs:
        if isinstance(value, torch.Tensor):
            value.data.zero_()
            value.numpy()[...] = 5
    return inputs[0]


def endless_list(*inputs):
    found = []
    found.append(found)
    return found


def checks_itself(*inputs):
    return check("relu", checks_itself)


def debugs(*inputs):
    import pdb

    pdb.Pdb().set_trace()  # pytest has replaced pdb.set_trace
    return inputs[0]


WRITTEN = {
    "a generator": lambda *inputs: (value for value in inputs),
    "a view of its input": lambda *inputs: inputs[0][...],
    "checks itself": checks_itself,
    "waits for a key": lambda *inputs: input("name? "),
    "breakpoint": lambda *inputs: breakpoint(),
    "debugger": debugs,
    "more memory than there is": lambda *inputs: torch.empty(10**15),
    "a Python number too large": lambda *inputs: 10**400,
    "endless": endless,
    "endless and deaf": endless_and_deaf,
    "endless with a bare except": endless_with_bare_except,
    "endless printing": endless_printing,
    "sleeping": lambda *inputs: time.sleep(60),
    "recursive": recursive,
    "raising": lambda *inputs: 1 / 0,
    "sys.exit": lambda *inputs: sys.exit(1),
    "interrupt": leaving(KeyboardInterrupt()),
    "changes settings": changes_settings,
    "spoils inputs": spoils_inputs,
    "edits data": edits_data,
    "list in itself": endless_list,
    "nan": lambda *inputs: torch.full((4, 3), float("nan")),
    "huge": lambda *inputs: torch.ones(1).expand(10**6, 10**6),
    "complex": lambda *inputs: torch.ones(2, dtype=torch.complex64),
    "without values": lambda *inputs: torch.ones(3, device="meta"),
    "sparse": lambda *inputs: torch.eye(3).to_sparse(),
    "string": lambda *inputs: "<script>alert(1)</script>" * 1000,
}
TRIED_ON = [
    "matmul_loops",
    "mse",
    "value_mul",
    "lin_grad",
    "topological_order",
    "minibatches",
    "stratified_split",
]


def state():
    "What must be the same after a check as before."
    return (
        torch.get_default_dtype(),
        torch.is_grad_enabled(),
        torch.get_rng_state().tolist(),
        torch.get_num_threads(),
        random.getstate(),
        numpy.random.get_state()[1].tolist(),
        os.getcwd(),
        (sys.stdout, sys.stderr, input, breakpoint),
        signal.getsignal(getattr(signal, "SIGALRM", signal.SIGINT)),
    )


@pytest.mark.abuse
@pytest.mark.parametrize("behaviour", WRITTEN)
def test_what_learners_write_hurts_nothing(behaviour, monkeypatch):
    "No exception, nothing passed, the session as it was."
    before = state()
    for name in TRIED_ON:
        with monkeypatch.context() as shorter:
            shorter.setattr(checking, "TIME_LIMIT", 0.05 if "endless" in behaviour else 0.15)
            report = check(name, WRITTEN[behaviour])
        assert not report.passed
        assert len(report.text.splitlines()) <= 6 and len(report.text) < 1500
        assert "<script" not in report._repr_html_()
    assert state() == before
    assert check("lin", lambda x, w, b: x @ w + b).passed


@pytest.mark.abuse
@pytest.mark.parametrize("method", ["__init__", "__call__", "backward"])
@pytest.mark.parametrize("behaviour", ["endless", "recursive", "sys.exit"])
def test_classes_that_do_it(method, behaviour, monkeypatch):
    monkeypatch.setattr(checking, "TIME_LIMIT", 0.05 if behaviour == "endless" else 0.15)
    for name in ("Linear", "ReLU", "MSELoss", "Sequential", "CrossEntropyLoss"):
        base = EXERCISES[name].answer
        assert not check(name, type("Own", (base,), {method: WRITTEN[behaviour]})).passed


@pytest.mark.abuse
@pytest.mark.parametrize("answer", [endless, endless_with_bare_except])
def test_a_loop_in_another_thread_is_stopped(answer, monkeypatch):
    "As on Windows: by a second thread."
    monkeypatch.setattr(checking, "TIME_LIMIT", 0.4)
    reports = []
    answers = (answer, answer, lambda x: x.clamp(min=0))
    thread = threading.Thread(target=lambda: reports.extend(check("relu", a) for a in answers), daemon=True)
    thread.start()
    thread.join(20)
    assert [report.status for report in reports] == ["too slow", "too slow", "passed"]
    assert "Stopped after 0.4 seconds" in reports[0].text


def test_a_loop_without_end_is_answered_within_two_seconds():
    "With the limit as it is shipped."
    check("lin_grad", lambda *inputs: 0)
    began = time.process_time()
    assert check("lin_grad", endless).status == "too slow"
    assert time.process_time() - began < 2


@pytest.mark.parametrize("in_a_thread", [False, True])
def test_the_first_import_of_a_library_does_not_count(in_a_thread, monkeypatch, tmp_path):
    "A right answer may use a library that takes longer to import than an answer may take."
    monkeypatch.setattr(checking, "TIME_LIMIT", 0.4)
    monkeypatch.syspath_prepend(tmp_path)
    name = f"slow_library_{in_a_thread}"
    (tmp_path / f"{name}.py").write_text("import time\ntime.sleep(1)\nZERO = 0")

    def relu_with_a_library(x):
        return x.clamp(min=__import__(name).ZERO)

    reports = []
    work = lambda: reports.append(check("relu", relu_with_a_library))
    thread = threading.Thread(target=work, daemon=True)
    thread.start() if in_a_thread else work()
    thread.join(20) if in_a_thread else None
    assert [report.status for report in reports] == ["passed"]


def test_an_import_without_end_is_stopped_too(monkeypatch, tmp_path):
    monkeypatch.setattr(checking, "TIME_LIMIT", 0.05)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "endless_library.py").write_text("while True:\n    pass")
    began = time.process_time()
    assert check("relu", lambda x: __import__("endless_library")).status == "too slow"
    assert time.process_time() - began < 5


def test_the_line_reported_is_the_learners():
    def my_mse(output, target):
        difference = output - target.reshape(output.shape)
        return (difference**2).maen()

    report = check("mse", my_mse)
    line = my_mse.__code__.co_firstlineno + 2
    assert f"line {line}: return (difference**2).maen()" in report.text
    assert "AttributeError" in report.text


def test_what_it_says_of_things_that_are_no_answer():
    assert "not the result of a call" in check("relu", torch.ones(2)).text
    assert "wants a class" in check("ReLU", EXERCISES["ReLU"].answer()).text
    assert "return missing" in check("lin", lambda x, w, b: [x @ w + b][0:0] or None).text
    with pytest.raises(ValueError, match="did you mean 'lin_grad'"):
        check("lin_grd", None)


ANYTHING = [
    0,
    True,
    "x",
    {},
    [],
    (None, None),
    (1.0, lambda g: 1 / 0),
    torch.tensor([]),
    torch.ones(3, 3, dtype=torch.int64),
    torch.ones(2, 3, dtype=torch.bfloat16),
    (torch.ones(2, 3), torch.ones(4)),
    [range(3)],
    ([0.5], ["a"]),
    float("inf"),
    object(),
    type,
]


@pytest.mark.parametrize("name", list(EXERCISES))
def test_nothing_that_comes_back_breaks_the_report(name):
    class Answer:
        def __init__(self, *parameters): ...

        def __call__(self, *inputs):
            return value

        def backward(self):
            return value

    for value in ANYTHING:
        report = check(name, Answer if name[0].isupper() else lambda *inputs, value=value: value)
        assert not report.passed and len(report.text.splitlines()) <= 6, (value, report)


def test_how_near_is_near_enough():
    "One part in 10,000 of an element, and 2 in 100,000 of the largest: here, for a single number, 1.2 in 10,000."
    for factor in (1 - 1.3e-4, 1 - 1.1e-4, 1 + 1.1e-4, 1 + 1.3e-4):
        found = check("init_scale", lambda n, factor=factor: factor * (2 / n) ** 0.5).passed
        assert found == (abs(factor - 1) < 1.2e-4), factor
    want = torch.tensor([0.0, 1.0, -1000.0])
    off = lambda *by: checking.near(want + torch.tensor(by), want).tolist()
    assert off(0.019, 0.0199, 0.119) == [True] * 3
    assert off(0.021, 0.0203, 0.121) == [False] * 3


def test_an_exercise_without_help_says_so(monkeypatch):
    monkeypatch.setattr(checking, "EXERCISES", dict(EXERCISES))
    checking.declare("bare", "99_mine", "bare(x)", "Anything.")
    assert "No hints" in repr(hint("bare")) and "No solution" in repr(solution("bare"))


def test_inputs_of_the_failed_case_can_be_tried():
    report = check("relu", lambda x: x)
    assert report.inputs["x"].shape == (2, 3)
    report.inputs["x"].zero_()
    assert check("relu", lambda x: x).inputs["x"].any()


def test_help_stands_folded_below_an_answer_not_yet_attempted():
    "So that a page shows it without running anything; the text stays short."
    page = check("softmax", None)._repr_html_()
    assert page.count("<details>") == 4 and "def softmax(x)" in page and "Hint 3" in page
    assert "<details>" not in check("softmax", lambda x: x)._repr_html_()


def test_in_a_script_check_prints_its_report(capsys, monkeypatch):
    monkeypatch.setattr(checking, "shows_values", lambda: False)
    check("relu", lambda x: x.clamp(min=0))
    assert capsys.readouterr().out.startswith("relu: passed")
    monkeypatch.setattr(checking, "shows_values", lambda: True)
    check("relu", lambda x: x.clamp(min=0))
    assert capsys.readouterr().out == ""


def test_each_rule_stands_in_the_task():
    for exercise in EXERCISES.values():
        if exercise.rule:
            assert getattr(exercise.rule, "words", "") or "loop" in exercise.task or "einsum" in exercise.task
        assert 1 <= exercise.level <= 3 and exercise.minutes >= 3 and len(exercise.hints) == 3

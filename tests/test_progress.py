"""Progress survives damage, full disks and a kill, and is written nowhere but in a learner's folder."""

import json
import os
import subprocess
import sys
import time

import pytest

import lesson13.tools.progress as kept
from lesson13 import checking
from lesson13.checking import EXERCISES, check, progress
from lesson13.tools.report import COLOURS

checking.load_exercises()


@pytest.fixture(autouse=True)
def fresh(tmp_path, monkeypatch):
    "Every test starts with no progress, outside any learner's folder."
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(kept, "SESSION", {})
    monkeypatch.setattr(checking, "HINTS_GIVEN", {})


def learner(folder):
    "Make a learner's folder with a folder for notebooks in it, and go there."
    (folder / kept.MARKER).write_text("{}")
    (folder / "deep" / "down").mkdir(parents=True)
    os.chdir(folder / "deep" / "down")
    return folder / kept.PROGRESS_FILE


def test_nothing_is_written_outside_a_learners_folder(tmp_path):
    assert check("relu", lambda x: x.clamp(min=0)).passed
    assert list(tmp_path.iterdir()) == []
    assert f"1 of {len(EXERCISES)} passed" in repr(progress())


def test_progress_is_kept_in_the_learners_folder(tmp_path, monkeypatch):
    path = learner(tmp_path)
    check("relu", lambda x: x.clamp(min=0))
    check("relu", lambda x: x)
    check("lin", None)
    found = json.loads(path.read_text())
    assert found["version"] == kept.VERSION and set(found["exercises"]) == {"relu"}
    assert found["exercises"]["relu"]["attempts"] == 2 and found["exercises"]["relu"]["passed"]
    monkeypatch.setattr(kept, "SESSION", {})
    assert f"1 of {len(EXERCISES)} passed; next: lin" in repr(progress())
    assert "<table>" in progress()._repr_html_()
    edge = "border-left:4px solid {}".format
    assert edge(COLOURS["passed"]) in progress()._repr_html_()
    path.unlink()
    assert edge(COLOURS["not attempted"]) in progress()._repr_html_()


@pytest.mark.abuse
@pytest.mark.parametrize(
    "damage",
    ["", "{", "[]", '{"version": 99, "exercises": {}}', '{"version": 1, "exercises": {"relu": 3}}', "\x00"],
)
def test_a_damaged_file_is_kept_and_progress_starts_afresh(tmp_path, damage):
    path = learner(tmp_path)
    path.write_text(damage)
    report = check("relu", lambda x: x.clamp(min=0))
    assert report.passed and "damaged" in report.text and len(report.text.splitlines()) <= 6
    kept = list(tmp_path.glob("*.damaged-*"))
    assert len(kept) == 1 and kept[0].read_text() == damage
    assert json.loads(path.read_text())["exercises"]["relu"]["passed"]
    assert "damaged" not in check("relu", lambda x: x.clamp(min=0)).text


def raising(error):
    def fail(*args, **more):
        raise error

    return fail


@pytest.mark.abuse
def test_a_write_that_fails_leaves_the_old_file(tmp_path, monkeypatch):
    path = learner(tmp_path)
    check("relu", lambda x: x.clamp(min=0))
    before = path.read_text()
    monkeypatch.setattr(os, "replace", raising(OSError(28, "No space left on device")))
    report = check("lin", lambda x, w, b: x @ w + b)
    assert report.passed and "No space left" in report.text
    assert path.read_text() == before
    assert {item.name for item in tmp_path.iterdir()} == {kept.MARKER, path.name, "deep"}


@pytest.mark.abuse
def test_a_file_that_cannot_be_read_is_not_written_over(tmp_path, monkeypatch):
    path = learner(tmp_path)
    check("relu", lambda x: x.clamp(min=0))
    before = path.read_bytes()
    with monkeypatch.context() as no_rights:
        no_rights.setattr(kept.Path, "read_text", raising(PermissionError(13, "Permission denied")))
        report = check("lin", lambda x, w, b: x @ w + b)
        assert report.passed and "cannot be read (Permission denied)" in report.text
        assert "lin" in kept.SESSION and "Permission denied" in repr(progress())
    assert path.read_bytes() == before


@pytest.mark.abuse
def test_a_damaged_file_that_cannot_be_renamed_stays(tmp_path, monkeypatch):
    path = learner(tmp_path)
    path.write_text("{")
    monkeypatch.setattr(kept.Path, "replace", raising(PermissionError(13, "Permission denied")))
    report = check("relu", lambda x: x.clamp(min=0))
    assert report.passed and "cannot be renamed" in report.text and "kept as" not in report.text
    assert path.read_text() == "{"


def test_what_was_passed_a_week_ago_is_named(tmp_path):
    path = learner(tmp_path)
    records = {
        "relu": {"attempts": 1, "passed": "2020-01-01"},
        "lin": {"attempts": 1, "passed": "2999-01-01"},
    }
    path.write_text(json.dumps({"version": 1, "exercises": records}))
    assert "worth writing again: relu\n" in repr(progress()) + "\n"


@pytest.mark.abuse
def test_a_kill_while_writing_leaves_a_whole_file(tmp_path):
    path = learner(tmp_path)
    code = "from lesson13.checking import check\nwhile True: check('init_scale', lambda n: (2 / n) ** 0.5)"
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen([sys.executable, "-c", code], env=env)
    deadline = time.monotonic() + 60
    while not path.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.2)
    process.kill()
    process.wait()
    assert json.loads(path.read_text())["exercises"]["init_scale"]["passed"]


def test_it_says_where_it_is_kept_and_what_comes_next(tmp_path):
    "The next exercise is looked for from the latest attempt on."
    assert "no learner's folder" in repr(progress())
    path = learner(tmp_path)
    check("Linear", lambda: 0)
    check("mse_grad", lambda output, target: 0)
    assert f"Kept in {path}" in repr(progress()) and "next: mse_grad" in repr(progress())

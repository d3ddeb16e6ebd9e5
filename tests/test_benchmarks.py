"""The command `python -m lesson13.benchmarks`: what it prints and writes, an earlier run beside a new one, wrong arguments."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lesson13.benchmarks import main

ROOT = Path(__file__).resolve().parent.parent
TWO = ["--quick", "--only", "gradient_bytes", "scalar_bytes"]  # nothing is timed, so they take none


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    "The command itself, as `make bench` calls it: its folder and what it printed."
    folder = tmp_path_factory.mktemp("bench")
    env = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"}
    command = [sys.executable, "-m", "lesson13.benchmarks", *TWO]
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    return folder, done.stdout


def test_writes_what_it_prints(run):
    folder, said = run
    result = json.loads((folder / "bench.json").read_text(encoding="utf-8"))
    assert set(result["numbers"]) == {"gradient_bytes", "scalar_bytes"} and result["quick"]
    for row in result["rows"]:
        assert row["name"] in said and row["verdict"] == "met", row
        assert row["low"] <= row["ratio"] <= row["high"]


def test_the_machine_is_described_without_its_name_or_paths(run):
    text = (run[0] / "bench.json").read_text(encoding="utf-8")
    assert "torch" in json.loads(text)["machine"]
    assert str(Path.home()) not in text and str(ROOT) not in text and str(run[0]) not in text


def test_an_earlier_run_stands_beside_the_new_one(run, capsys, monkeypatch):
    "Also where the new one is written over it; a row that the earlier run did not have stands alone."
    folder, _ = run
    monkeypatch.chdir(folder)
    old = json.loads((folder / "bench.json").read_text(encoding="utf-8"))
    old["rows"] = [row | {"ratio": 123} for row in old["rows"] if row["measurement"] == "gradient_bytes"]
    old["machine"] = "another, with 77 cores"
    (folder / "bench.json").write_text(json.dumps(old), encoding="utf-8")
    main([*TWO, "--compare", "bench.json"])
    said = capsys.readouterr().out
    assert said.count("(was 123)") == 1 and "not the same machine: another" in said


def test_a_missed_target_and_what_was_not_measured_are_said(monkeypatch):
    from lesson13 import benchmarks

    def without_micrograd(quick):
        raise ImportError("No module named 'micrograd'")

    without_micrograd.claims = [benchmarks.Claim("Needs it", "a", "b", "≤ 1")]
    slow = lambda quick: {"slow": [3.0], "quick": [1.0]}
    slow.claims = [benchmarks.Claim("Slow is quick", "slow", "quick", "≤ 1")]
    monkeypatch.setattr(benchmarks, "MEASUREMENTS", {"without": without_micrograd, "slow": slow})
    said = []
    rows = benchmarks.measure(say=said.append)["rows"]
    assert [row["verdict"] for row in rows] == ["not measured", "missed"]
    assert "No module named 'micrograd'" in said[0]


@pytest.mark.parametrize(
    "arguments, word",
    [
        (["--compare", "nowhere.json"], "nowhere.json"),
        (["--compare", "empty.json"], "Expecting value"),
        (["--only", "nothing"], "matrix_products"),
        ([*TWO, "--out", "nowhere/bench.json"], "nowhere"),
    ],
)
def test_wrong_arguments(arguments, word, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty.json").touch()
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2 and word in capsys.readouterr().err
    assert not (tmp_path / "bench.json").exists()

"""The command `python -m lesson13.benchmarks`: it writes valid JSON, compares two runs, and refuses what it cannot read."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from lesson13.benchmarks import main, markdown_table

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def bench(capsys, monkeypatch):
    """`bench(*arguments, cwd=folder)`: what the command prints, and its exit code."""

    def bench(*arguments, cwd):
        monkeypatch.chdir(cwd)
        capsys.readouterr()
        try:
            returncode = main(list(arguments)) or 0
        except SystemExit as stop:
            returncode = stop.code
        out, err = capsys.readouterr()
        return SimpleNamespace(returncode=returncode, stdout=out, stderr=err)

    return bench


def refused(done, *words):
    "Exit code 2 and one line that says why; no traceback."
    assert done.returncode == 2, done.stdout + done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    for word in words:
        assert word in done.stderr


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    "The command itself, as `make bench` calls it, with two experiments that take no time."
    folder = tmp_path_factory.mktemp("bench")
    command = [sys.executable, "-m", "lesson13.benchmarks", "--quick", "--plot", "claims.png"]
    command += ["--only", "memory_gradient", "value_bytes"]
    env = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONUTF8": "1", "MPLBACKEND": "agg"}
    return folder, subprocess.run(
        command, cwd=folder, env=env, capture_output=True, text=True, encoding="utf-8", timeout=120
    )


def test_writes_valid_json(run):
    folder, done = run
    assert done.returncode == 0, done.stderr
    result = json.loads((folder / "bench.json").read_text(encoding="utf-8"))
    assert set(result["measured"]) == {"memory_gradient", "value_bytes"}
    for numbers in result["measured"].values():
        for values in numbers.values():
            assert values and all(isinstance(v, int | float) and v > 0 for v in values)
    rows = {row["name"]: row for row in result["claims"]}
    assert rows["Bytes of outer products"]["verdict"] == "met"
    for name, row in rows.items():
        assert name in done.stdout
        assert row["verdict"] in {"", "met", "missed", "met, narrowly", "missed, narrowly", "not measured"}
        assert row["reason"] if row["verdict"] else True
    assert "| ≤\N{NO-BREAK SPACE}0.5 |" in markdown_table(result)  # a target stays on one line
    assert (folder / "claims.png").read_bytes().startswith(b"\x89PNG")


def test_the_machine_is_described_without_its_name_or_paths(run):
    text = (run[0] / "bench.json").read_text(encoding="utf-8")
    machine = json.loads(text)["machine"]
    assert set(machine) == {"processor", "cores", "threads", "system", "python", "torch", "cuda"}
    assert str(Path.home()) not in text and str(ROOT) not in text and str(run[0]) not in text


def test_compares_two_files_without_measuring(bench, run):
    folder, _ = run
    old = json.loads((folder / "bench.json").read_text(encoding="utf-8"))
    old["machine"]["cores"] = 77
    for row in old["claims"]:
        if row["ratio"]:
            row |= {k: 2 * row[k] for k in ("ratio", "low", "high")}
    (folder / "old.json").write_text(json.dumps(old), encoding="utf-8")
    done = bench("--compare", "old.json", "bench.json", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "-50%" in done.stdout and "not the same machine: cores: 77" in done.stdout
    assert "same" in bench("--compare", "bench.json", "bench.json", cwd=folder).stdout


def test_compares_with_the_file_that_it_replaces(bench, run):
    folder, _ = run
    done = bench(
        "--quick", "--only", "memory_gradient", "--compare", "bench.json", "--out", "bench.json", cwd=folder
    )
    assert done.returncode == 0, done.stderr
    assert "only one run has it" in done.stdout and "same" in done.stdout


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"{}", b"\xff\xfe", b'{"made_by": "lesson13.benchmarks 1", "claims": 3}', b"null"],
)
def test_a_file_that_is_none_of_ours(bench, tmp_path, content):
    (tmp_path / "old.json").write_bytes(content)
    refused(
        bench("--quick", "--only", "value_bytes", "--compare", "old.json", cwd=tmp_path),
        "old.json",
        "not a file",
    )
    assert not (tmp_path / "bench.json").exists()  # refused before anything was measured


def test_wrong_arguments(bench, tmp_path):
    refused(bench("--compare", "nowhere.json", cwd=tmp_path), "nowhere.json")
    refused(bench("--only", "nothing", cwd=tmp_path), "nothing", "matmul")
    refused(bench("--compare", "a", "b", "c", cwd=tmp_path), "--compare")
    refused(
        bench("--quick", "--only", "memory_gradient", "--out", "nowhere/bench.json", cwd=tmp_path), "nowhere"
    )


def test_no_cuda_is_one_line(bench, tmp_path):
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device here")
    refused(bench("--device", "cuda", cwd=tmp_path), "no CUDA device")
    done = bench("--quick", "--only", "cuda", cwd=tmp_path)
    assert done.returncode == 0 and "cuda: there is no CUDA device here" in done.stdout

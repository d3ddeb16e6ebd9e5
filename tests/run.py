"""Every check of the project, in one command: `python tests/run.py` (what `make test` runs; `--slow` adds the long tests).

`lint`, `step`, `notebooks` or `tests` run only these parts. Each part prints what it found; the last line counts them all: `N passed, M failed`. Nothing in the checkout is changed:
what would rewrite files (nbdev_clean, nbdev_export) runs on a copy, and the copy is compared.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
ENV = {
    **os.environ,
    "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
    "PYTHONPATH": str(ROOT),
    "MPLBACKEND": "agg",
    "PYTHONUTF8": "1",
    "PYTHONDONTWRITEBYTECODE": "",  # dozens of processes import the package: it is compiled once
    "OMP_NUM_THREADS": "1",  # several processes share the cores: one thread each is quickest
}


def run(*command: str, cwd: Path = ROOT) -> tuple[int, str]:
    "Run a command, show what it prints as it comes, and return its exit code and its output."
    with subprocess.Popen(
        command,
        cwd=cwd,
        env=ENV,
        text=True,
        encoding="utf-8",
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as process:
        lines = []
        for line in process.stdout:
            print(line, end="", flush=True)
            lines.append(line)
    return process.returncode, "".join(lines)


def tool(name: str) -> str:
    "The path of a command that belongs to this environment."
    return shutil.which(name, path=ENV["PATH"]) or sys.exit(
        f"{name} is not installed: run `make test`, which sets it up"
    )


def ruff() -> tuple[int, int]:
    "Lint and format of notebooks and tests."
    codes = [
        run(tool("ruff"), *arguments, "nbs", "tests", "setup.py")[0]  # and not what a learner keeps here
        for arguments in (["check", "--quiet"], ["format", "--check", "--quiet"])
    ]
    if any(codes):
        print("mend with: ruff check --fix; ruff format; nbdev_export")
    return codes.count(0), len(codes) - codes.count(0)


def in_step() -> tuple[int, int]:
    "The notebooks are clean, and the package is what the notebooks export."
    passed = failed = 0
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "copy"
        for name in ("nbs", "lesson13", "settings.ini"):
            source, target = ROOT / name, copy / name
            if source.is_dir():
                shutil.copytree(
                    source, target, ignore=shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints")
                )
            else:
                shutil.copy(source, target)
        for command, pattern in (("nbdev_clean", "nbs/**/*.ipynb"), ("nbdev_export", "lesson13/**/*.py")):
            code, _ = run(tool(command), cwd=copy)
            names = {p.relative_to(base).as_posix() for base in (ROOT, copy) for p in base.glob(pattern)}
            changed = [n for n in sorted(names) if read(ROOT / n) != read(copy / n)]
            if code or changed or not names:
                failed += 1
                print(
                    f"{command} changes {', '.join(changed) or 'nothing but failed'}: run it and commit the result"
                )
            else:
                passed += 1
    return passed, failed


def read(path: Path) -> str | None:
    "A file's text whatever its line ends, or None where there is none."
    return path.read_text(encoding="utf-8") if path.exists() else None


def notebooks() -> tuple[int, int]:
    "Every notebook by nbdev_test; none found is a failure."
    books = sorted(p.name for p in (ROOT / "nbs").rglob("[!_.]*.ipynb"))
    code, output = run(tool("nbdev_test"), "--n_workers", str(min(CORES + 1, 4)), "--timing")
    failed = [name for name in books if re.search(rf"^\t{re.escape(name)}$", output, re.M)]
    if code == 0 and "Success." in output and books:
        return len(books), 0
    return len(books) - len(failed), max(len(failed), 1)


def pytest() -> tuple[int, int]:
    "The tests in tests/: browser, command line, package, properties."
    workers = min(CORES + 1, 6)  # one more than cores, since many tests wait for something
    options = f"-q -rs -n {workers} --dist loadscope --no-loadscope-reorder --max-worker-restart 0".split()
    everything = ["-m", ""] if "--slow" in sys.argv else []
    code, output = run(tool("pytest"), *options, "tests", *everything)
    count = {
        word: int(number)
        for number, word in re.findall(r"(\d+) (passed|failed|error)", output.splitlines()[-1])
    }
    failed = count.get("failed", 0) + count.get("error", 0)
    return count.get("passed", 0), max(failed, int(code != 0))


PARTS = {
    "lint": ("Lint and format", ruff),
    "step": ("Notebooks clean, package in step", in_step),
    "notebooks": ("Notebooks", notebooks),
    "tests": ("Tests", pytest),
}


def main() -> int:
    passed = failed = 0
    for title, part in [PARTS[name] for name in PARTS if name in sys.argv] or PARTS.values():
        print(f"\n== {title}", flush=True)
        start = time.perf_counter()
        good, bad = part()
        passed, failed = passed + good, failed + bad
        print(f"   {good} passed, {bad} failed in {time.perf_counter() - start:.0f} s", flush=True)
    print(f"\n{passed} passed, {failed} failed")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())

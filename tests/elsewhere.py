"""`make test` on machines that are not like this one: `python tests/elsewhere.py` tries them all and prints a table.

`python tests/elsewhere.py NAME … -- ARGUMENT …` tries some of them, with these arguments for tests/run.py (such as `step`).
Each is tried on a copy of the checkout, so nothing here is touched. What this system cannot imitate is passed over.
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
LEFT_OUT = shutil.ignore_patterns(
    ".git", ".venv", "_docs", "_proc", "build", "learn", "__pycache__", ".*_cache", ".hypothesis"
)


def without_git(folder: Path) -> dict:
    "The programs of this path but git, as links in one folder."
    tools = folder.parent / "tools"
    tools.mkdir()
    for place in os.environ["PATH"].split(os.pathsep):
        for program in Path(place).glob("*") if os.path.isdir(place) else ():
            if program.name != "git" and not (tools / program.name).exists():
                (tools / program.name).symlink_to(program)
    return {"PATH": str(tools)}


def with_git(folder: Path) -> None:
    "A repository whose files are all tracked."
    for command in ("init -q", "add -A", "-c user.name=a -c user.email=a@b.c commit -q -m a"):
        subprocess.run(["git", *command.split()], cwd=folder, check=True)


def owned_by_someone_else(folder: Path) -> dict:
    "git refuses to read such a repository, and says 'dubious ownership'."
    with_git(folder)
    return {"GIT_TEST_ASSUME_DIFFERENT_OWNER": "1"}


def with_windows_line_ends(folder: Path) -> dict:
    "As git checks out on Windows: all text but what .gitattributes pins."
    for path in folder.rglob("*"):
        pinned = path.suffix in (".ipynb", ".sh", ".png", ".ico") or path.name in ("run", "Makefile")
        if path.is_file() and not pinned:
            path.write_bytes(re.sub(rb"\r?\n", b"\r\n", path.read_bytes()))
    return {}


def with_a_learners_folder(folder: Path) -> dict:
    "Under a name of the learner's own, with what learners write."
    (folder / "my course").mkdir()
    (folder / "my course" / "notes.py").write_text("import  os;x=1\ndef f( : pass")
    return {}


def with_an_odd_folder_for_temporary_files(folder: Path) -> dict:
    odd = folder.parent / "a b é # % [x]"
    odd.mkdir()
    return {"TMPDIR": str(odd)}


def plain(**env: str):
    return lambda folder: env


WITHOUT_A_HOST = ("unshare", "--uts", "sh", "-c", 'hostname nowhere.invalid; exec "$@"', "sh")
WITHOUT_A_USER = ("unshare", "--user", "--map-user=54321", "--map-group=54321")
# name → (what is tried, how the copy and its environment are prepared, what the command is put behind, the copy's place)
ODDITIES = {
    "plain": ("a copy, not in git", plain(), (), "copy"),
    "avx2": ("a processor without AVX2", plain(ATEN_CPU_CAPABILITY="default"), (), "copy"),
    "nogit": ("no git on the machine", without_git, (), "copy"),
    "owner": ("git finds the ownership dubious", owned_by_someone_else, (), "copy"),
    "host": ("the host name does not resolve", plain(), WITHOUT_A_HOST, "copy"),
    "tmpdir": ("TMPDIR with spaces and odd letters", with_an_odd_folder_for_temporary_files, (), "copy"),
    "user": ("a user without a name", plain(), WITHOUT_A_USER, "copy"),
    "lines": ("Windows' line ends", with_windows_line_ends, (), "copy"),
    "learner": ("a learner's folder of another name", with_a_learners_folder, (), "copy"),
    "place": ("a checkout in a folder of odd letters", plain(), (), "a b é # % [x]/copy"),
}


def attempt(prepare, before: tuple, place: str, arguments: list[str]) -> tuple[str, float]:
    "What the last line of tests/run.py says in such a place, and after how many seconds."
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch, place)
        shutil.copytree(ROOT, folder, ignore=LEFT_OUT)
        env = os.environ | {"PYTHONPATH": str(folder)} | prepare(folder)
        start = time.perf_counter()
        command = [*before, sys.executable, "tests/run.py", *arguments]
        done = subprocess.run(command, cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    output = done.stdout.decode(errors="replace")
    if not re.search(r"\d+ passed, 0 failed\s*$", output):
        print(output, file=sys.stderr)
    return (output.strip().splitlines() or [f"exit code {done.returncode}"])[-1], time.perf_counter() - start


def main() -> int:
    names, _, arguments = " ".join(sys.argv[1:]).partition("--")
    system = f"{os.uname().sysname} {os.uname().machine}" if hasattr(os, "uname") else sys.platform
    python, failed = f"Python {sys.version.split()[0]}", 0
    print("| system | Python | what is odd | result |\n|---|---|---|---|")
    for name in names.split() or ODDITIES:
        about, prepare, before, place = ODDITIES[name]
        if before and subprocess.run([*before, "true"], capture_output=True).returncode:
            print(f"| {system} | {python} | {about} | cannot be imitated here |")
            continue
        result, seconds = attempt(prepare, before, place, arguments.split())
        failed += " 0 failed" not in result
        print(f"| {system} | {python} | {about} | {result}, {seconds:.0f} s |", flush=True)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())

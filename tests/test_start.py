"""The ways in: `make` on the Pythons and environments that people have, Binder's and Colab's files, without a network."""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from shlex import quote

import pytest
import tidy
from IPython.core.interactiveshell import InteractiveShell

ROOT = Path(__file__).resolve().parent.parent

needs_make = pytest.mark.skipif(
    os.name != "posix" or not shutil.which("make"), reason="needs make and a POSIX shell"
)


@pytest.fixture
def checkout(tmp_path):
    """`checkout(name, **programs) -> folder`: a copy of what `make` needs; `checkout.make(folder, target)` runs it.

    Beside a few tools of the system only `programs` (name → text of a shell script) are on its path.
    """
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("sh", "make", "sed", "rm", "touch", "env", "mkdir", "cat"):
        (tools / name).symlink_to(shutil.which(name))

    def checkout(name, **programs):
        (folder := tmp_path / name).mkdir(parents=True)
        for item in ("Makefile", "setup.py", "constraints.txt", "README.md"):
            shutil.copy(ROOT / item, folder / item)
        for item in ("nbs", "lesson13"):
            shutil.copytree(ROOT / item, folder / item, ignore=shutil.ignore_patterns("__pycache__"))
        settings = (ROOT / "settings.ini").read_text(
            encoding="utf-8"
        )  # with fewer packages, pip is done sooner
        settings = re.sub(r"^((dev_|notebook_)?requirements) = .*$", r"\1 = setuptools", settings, flags=re.M)
        (folder / "settings.ini").write_text(settings, encoding="utf-8")
        for program, text in programs.items():
            (tools / program).write_text(f"#!/bin/sh\n{text}\n")
            (tools / program).chmod(0o755)
        return folder

    def make(folder, target, **variables):
        env = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "VIRTUAL_ENV", "MAKE"))}
        env |= {"PATH": str(tools), "PIP_NO_INDEX": "1", **variables}
        return subprocess.run(["make", target], cwd=folder, env=env, capture_output=True, text=True)

    checkout.make = make
    return checkout


def maker(folder):
    "The text of a `python3` whose environments see the packages of this one."
    script = folder / "make_environment.py"
    script.write_text(
        f"import sys, venv\nvenv.create(sys.argv[1], symlinks=True)\n"
        f"from pathlib import Path\n[site] = Path(sys.argv[1]).glob('lib/*/site-packages')\n"
        f"(site / 'packages.pth').write_text({sysconfig.get_path('purelib')!r})\n"
    )
    base = Path(sys.base_prefix, "bin", f"python3.{sys.version_info[1]}")
    return f'[ "$2" = venv ] && exec {base} {quote(str(script))} "$3"\nexec {base} "$@"'


@needs_make
def test_an_environment_knows_where_it_is(checkout, tmp_path):
    "Made once; not again where nothing changed; anew after a copy, a move or when its Python has gone; offline throughout."
    here = checkout("here", python3=maker(tmp_path))
    first = checkout.make(here, "learn", ARGS="--no-lab")
    assert first.returncode == 0, first.stdout + first.stderr
    assert "Setting up .venv" in first.stdout and (here / "learn" / "index.ipynb").exists()
    again = checkout.make(here, "learn", ARGS="--no-lab")
    assert again.returncode == 0 and "Setting up" not in again.stdout
    os.utime(here / "settings.ini")
    newer = checkout.make(here, "learn", ARGS="--no-lab")  # newer settings, no network, and all is there
    assert newer.returncode == 0 and "Setting up" not in newer.stdout, newer.stdout + newer.stderr

    shutil.copytree(here, there := tmp_path / "there", symlinks=True)
    copied = checkout.make(there, "learn", ARGS="--no-lab")
    assert copied.returncode == 0 and "Setting up .venv" in copied.stdout, copied.stdout + copied.stderr
    (there / ".venv" / "bin" / "python").unlink()
    (there / ".venv" / "bin" / "python").symlink_to("/nowhere/python")
    vanished = checkout.make(there, "learn", ARGS="--no-lab")
    assert vanished.returncode == 0 and "Setting up .venv" in vanished.stdout


@needs_make
def test_where_no_python_fits(checkout):
    "One sentence; or, where uv is, uv makes the environment, with a Python that fits."
    folder = checkout("here", python3="exit 1")
    answer = checkout.make(folder, "learn")
    lines = [line for line in answer.stdout.splitlines() if line]
    assert answer.returncode == 2 and len(lines) == 1, answer.stdout
    assert "needs Python 3.11 to 3.14" in lines[0] and "uv" in lines[0]
    folder = checkout("there", python3="exit 1", uv='echo "uv $@"; exit 3')
    answer = checkout.make(folder, "learn")
    assert "uv venv --quiet --seed --python >=3.11,<=3.14.99 .venv" in answer.stdout


@needs_make
@pytest.mark.parametrize(
    "version, fits", [((3, 9), False), ((3, 10), False), ((3, 11), True), ((3, 14), True), ((3, 15), False)]
)
def test_which_pythons_fit(checkout, version, fits):
    "The Makefile's own test, told another version."
    lie = f"import sys; sys.version_info = {(*version, 0)}; exec(sys.argv[1])"
    folder = checkout(
        "here", python3=f'[ "$1" = -c ] && exec {sys.executable} -c \'{lie}\' "$2"; echo made; exit 3'
    )
    answer = checkout.make(folder, "learn")
    assert ("Setting up .venv with python3" in answer.stdout) == fits, answer.stdout + answer.stderr


@needs_make
def test_an_installation_that_fails_says_what_to_do(checkout, tmp_path):
    folder = checkout("here", python3=maker(tmp_path))
    with (folder / "constraints.txt").open("a") as f:
        f.write("setuptools==0.1\n")
    answer = checkout.make(folder, "learn")
    assert answer.returncode == 2
    assert "pip's reason is above" in answer.stdout and "make clean-env" in answer.stdout
    assert not (folder / ".venv" / ".installed").exists()


@needs_make
def test_the_site_is_not_built_below_a_hidden_folder(checkout, tmp_path):
    folder = checkout(".hidden/here", python3=maker(tmp_path), quarto="exit 0")
    answer = checkout.make(folder, "docs")
    assert answer.returncode == 2 and "starts with a dot" in answer.stdout, answer.stdout + answer.stderr


def test_binders_requirements_resolve_from_the_root():
    "Binder calls pip there; a path after -c is taken from the file, one after -e from the root."
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--no-deps", "--no-index"]
    command += ["--no-build-isolation", "-r", ".binder/requirements.txt"]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr


def test_one_range_of_pythons():
    "What settings.ini says is what the workflows try and what Binder takes."
    text = (ROOT / "settings.ini").read_text(encoding="utf-8")
    low, high = (int(re.search(rf"^{k}_python = 3\.(\d+)", text, re.M)[1]) for k in ("min", "max"))
    workflow = (ROOT / ".github" / "workflows" / "test.yml").read_text(encoding="utf-8")
    tried = re.findall(r'"(3\.\d+)"', workflow.partition("python: [")[2].partition("]")[0])
    assert tried == [f"3.{minor}" for minor in range(low, high + 1)]
    runtime = (ROOT / ".binder" / "runtime.txt").read_text(encoding="utf-8").strip()
    assert low <= int(runtime.removeprefix("python-3.")) <= high
    assert low <= sys.version_info[1] <= high


@pytest.mark.parametrize("in_colab", [True, False])
def test_the_colab_cell(in_colab):
    "Under Colab the cell installs the package with what its notebooks need; elsewhere it does nothing."
    cell = "".join(tidy.way_in("02_matmul.ipynb")[1]["source"])
    asked = []
    shell_class = type(
        "Shell", (InteractiveShell,), {"__str__": lambda self: "google.colab" if in_colab else "here"}
    )
    shell = shell_class()
    shell.register_magic_function(asked.append, magic_name="pip")
    shell.run_cell(cell).raise_error()
    if in_colab:
        (line,) = asked
        text = (ROOT / "settings.ini").read_text(encoding="utf-8")
        user, repo = (re.search(rf"^{k} = (.+)$", text, re.M)[1] for k in ("user", "repo"))
        assert line == f'install -q "lesson13[notebooks] @ git+https://github.com/{user}/{repo}@main"'
    else:
        assert asked == []

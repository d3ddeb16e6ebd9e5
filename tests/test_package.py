"""The package as others get it: the wheel is whole, and importing a part costs only that part."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def python(code, path=ROOT):
    "What a new Python prints, away from the checkout unless `path` leads there."
    env = {**os.environ, "PYTHONPATH": str(path)}
    answer = subprocess.run([sys.executable, "-c", code], env=env, cwd=path, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr
    return answer.stdout.strip()


@pytest.mark.parametrize(
    "module, unwanted",
    [
        ("lesson13", "torch numpy matplotlib sympy sklearn pooch networkx"),
        ("lesson13.pictures.live", "torch matplotlib sympy sklearn networkx"),
        ("lesson13.tools.learn", "torch matplotlib sympy sklearn networkx"),
    ],
)
def test_an_import_costs_only_what_it_needs(module, unwanted):
    loaded = set(python(f"import sys, {module}; print(*sys.modules)").split())
    assert module in loaded and not loaded & set(unwanted.split())


WITH_TORCH = """
import sys, torch
old = set(sys.modules)  # PyTorch itself may load SymPy and NetworkX: what counts is what comes on top of it
import lesson13.checking
print(*(set(sys.modules) - old))
import lesson13.data, lesson13.modules, lesson13.losses
print(*(set(sys.modules) - old))
"""


def test_an_import_on_top_of_pytorch_costs_only_what_it_needs():
    checking, all_four = (set(line.split()) for line in python(WITH_TORCH).splitlines())
    ours = {
        name for name in checking if name.startswith("lesson13") and not name.startswith("lesson13.tools")
    }
    assert ours == {
        "lesson13",
        "lesson13.checking",
    }  # nothing of the course, and no exercise before it is asked for
    assert not checking & {"matplotlib", "sympy", "IPython", "fastcore", "sklearn", "networkx"}
    assert all_four > checking | {"lesson13.data", "lesson13.modules", "lesson13.losses"}
    assert not all_four & {"matplotlib", "sympy", "sklearn", "pooch", "requests", "networkx"}


def test_wheel_is_whole_and_imports_in_an_empty_place(tmp_path):
    "From checkout to sdist to wheel: static files and notebooks travel, and what is installed is what imports."
    source, site = tmp_path / "source", tmp_path / "site"
    shutil.copytree(
        ROOT, source, ignore=shutil.ignore_patterns(".*", "build", "*.egg-info", "learn", "__pycache__")
    )
    subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "."], cwd=source, check=True, capture_output=True
    )
    (wheel,) = (source / "dist").glob("lesson13-*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    for path in (ROOT / "lesson13" / "static").iterdir():
        assert f"lesson13/static/{path.name}" in names
    for path in (ROOT / "nbs").rglob("[!_.]*.ipynb"):
        assert any(n.endswith(f"share/lesson13/{path.relative_to(ROOT).as_posix()}") for n in names)
    assert any(n.endswith("share/lesson13/nbs/images/map.png") for n in names)
    install = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--target",
        str(site),
        str(wheel),
    ]
    subprocess.run(install, check=True, capture_output=True)
    assert Path(python("import lesson13.modules as m; print(m.__file__)", site)).is_relative_to(site)
    answer = python(
        "from lesson13.pictures.live import Live; print(len(Live('slope', {}, alt='a')._repr_html_()))", site
    )
    assert int(answer) > 1000
    found = python("from lesson13.tools.learn import course_notebooks; print(course_notebooks())", site)
    assert Path(found) == site / "share" / "lesson13" / "nbs"

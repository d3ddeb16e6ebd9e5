"""The learner's way in, as a process: the folder is made, kept and refused as promised, and JupyterLab answers."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import suppress
from pathlib import Path

import pytest

pty = pytest.importorskip("pty") if os.name == "posix" else None


from lesson13.tools import learn as lesson13_learn
from lesson13.tools.learn import MARKER, course_notebooks, is_chapter, main, update_folder

ROOT = Path(__file__).resolve().parent.parent
CHAPTERS = sorted(p.name for p in (ROOT / "nbs").glob("*.ipynb") if is_chapter(p.name))
LEARN = [sys.executable, "-c", "import sys; from lesson13.tools.learn import main; sys.exit(main())"]
ENV = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"}


def learn(*arguments, cwd, **env):
    return subprocess.run(
        [*LEARN, *arguments],
        cwd=cwd,
        env=ENV | env,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=60,
    )


def test_makes_updates_and_keeps(tmp_path):
    first = learn("--no-lab", cwd=tmp_path)
    assert first.returncode == 0, first.stderr
    assert sorted(p.name for p in (tmp_path / "learn").glob("*.ipynb")) == CHAPTERS
    assert (tmp_path / "learn" / "images" / "map.png").exists()
    mine = tmp_path / "learn" / "02_matmul.ipynb"
    mine.write_text(mine.read_text(encoding="utf-8").replace("matmul", "mine"), encoding="utf-8")
    kept = mine.read_text(encoding="utf-8")
    assert learn("--no-lab", cwd=tmp_path).returncode == 0
    assert mine.read_text(encoding="utf-8") == kept


def test_a_tilde_is_the_home_folder(tmp_path):
    "Also where the shell leaves it, as in --dir=~/course."
    (tmp_path / "home").mkdir()
    home = {"HOME": str(tmp_path / "home"), "USERPROFILE": str(tmp_path / "home")}
    assert learn("--no-lab", "--dir=~/course", cwd=tmp_path, **home).returncode == 0
    assert (tmp_path / "home" / "course" / "index.ipynb").exists() and not (tmp_path / "~").exists()


def test_what_file_managers_leave_is_no_reason_to_refuse(tmp_path):
    for name in (".DS_Store", "desktop.ini", "Thumbs.db"):
        (tmp_path / name).write_bytes(b"")
    assert learn("--no-lab", "--dir", str(tmp_path), cwd=tmp_path).returncode == 0


def test_two_at_once_on_a_new_folder(tmp_path):
    both = [
        subprocess.Popen([*LEARN, "--no-lab"], cwd=tmp_path, env=ENV, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    for process in both:
        _, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
    assert sorted(p.name for p in (tmp_path / "learn").glob("*.ipynb")) == CHAPTERS
    assert learn("--no-lab", cwd=tmp_path).stdout.count("\n") == 1  # nothing is taken for the learner's


def test_whatever_hears_what_it_says(tmp_path):
    "Nobody, as in `| head -0`; a terminal that lacks the letters of the folder's name; no output at all."
    command = [*LEARN, "--no-lab", "--dir", "\u732b"]
    read_end, write_end = os.pipe()
    os.close(read_end)
    for more in (
        {"stdout": write_end},
        {"stdout": subprocess.PIPE, "env": ENV | {"PYTHONUTF8": "0", "PYTHONIOENCODING": "cp1252"}},
        {"stdout": None, "preexec_fn": lambda: os.close(1)} if os.name == "posix" else {},
    ):
        done = subprocess.run(command, cwd=tmp_path, stderr=subprocess.PIPE, **{"env": ENV, **more})
        assert done.returncode == 0 and not done.stderr, done.stderr.decode()
    os.close(write_end)


def test_without_jupyterlab_it_says_so(tmp_path):
    "In one line, and the folder is there all the same."
    without = "import sys; sys.modules['jupyterlab'] = None\n" + LEARN[2]
    done = subprocess.run([*LEARN[:2], without], cwd=tmp_path, env=ENV, capture_output=True, text=True)
    assert (
        done.returncode == 2 and done.stderr.count("\n") == 1 and "JupyterLab is not installed" in done.stderr
    )
    assert (tmp_path / "learn" / "index.ipynb").exists()


@pytest.mark.skipif(os.name != "posix", reason="links and rights as POSIX has them")
def test_an_update_keeps_links_and_rights(tmp_path):
    source, folder, elsewhere = tmp_path / "nbs", tmp_path / "learn", tmp_path / "kept.ipynb"
    source.mkdir()
    book = source / "01_a.ipynb"
    book.write_text('{"cells": [], "metadata": {}, "nbformat": 4}')
    update_folder(source, folder)
    mine = folder / "01_a.ipynb"
    mine.rename(elsewhere)
    mine.symlink_to(elsewhere)
    elsewhere.chmod(0o600)
    book.write_text('{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}')
    assert update_folder(source, folder) == []
    assert mine.is_symlink() and "nbformat_minor" in elsewhere.read_text()
    assert elsewhere.stat().st_mode & 0o777 == 0o600


def test_refuses_a_folder_it_did_not_make(tmp_path):
    (tmp_path / "precious.txt").write_text("mine")
    answer = learn("--no-lab", "--dir", str(tmp_path), cwd=tmp_path)
    assert answer.returncode == 2
    assert answer.stderr.count("\n") == 1 and "was not made by lesson13-learn" in answer.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["precious.txt"]


def book_with(text):
    return json.dumps(
        {"cells": [{"cell_type": "markdown", "source": [text], "metadata": {}}], "metadata": {}}
    )


@pytest.fixture
def course(tmp_path):
    "A function that writes an edition of a course of three notebooks, and the learner's folder."

    def edition(text):
        (tmp_path / "nbs").mkdir(exist_ok=True)
        for name in ("01_a", "02_b", "03_c"):
            (tmp_path / "nbs" / f"{name}.ipynb").write_text(book_with(f"{name[3:]}, {text}"))
        return tmp_path / "nbs"

    return edition, tmp_path / "learn"


def holds(path):
    return json.loads(path.read_text())["cells"][0]["source"][0]


def test_what_was_written_into_a_new_version_is_kept_too(course):
    edition, mine = course
    update_folder(edition("first"), mine)
    (mine / "01_a.ipynb").write_text(book_with("my work"))
    assert len(update_folder(edition("second"), mine)) == 1
    assert update_folder(edition("third"), mine) == [
        "01_a.ipynb has your changes and stays; the course's new version is 01_a.new.ipynb"
    ]
    assert holds(mine / "01_a.new.ipynb") == "a, third"  # nobody had touched it
    (mine / "01_a.new.ipynb").write_text(book_with("my work on the third"))
    for text in ("fourth", "fifth"):
        assert "01_a.new2.ipynb" in update_folder(edition(text), mine)[0]
        assert update_folder(edition(text), mine) == []
        assert holds(mine / "01_a.new2.ipynb") == f"a, {text}"
    assert holds(mine / "01_a.ipynb") == "my work"
    assert holds(mine / "01_a.new.ipynb") == "my work on the third"


def test_a_notebook_copied_over_another_is_a_change(course):
    edition, mine = course
    update_folder(edition("first"), mine)
    (mine / "01_a.ipynb").write_bytes((mine / "02_b.ipynb").read_bytes())
    assert "01_a.new.ipynb" in update_folder(edition("second"), mine)[0]
    assert holds(mine / "01_a.ipynb") == "b, first"


@pytest.mark.abuse
@pytest.mark.parametrize("half", [True, False], ids=["half done", "done"])
@pytest.mark.parametrize("before", ["first", None])
@pytest.mark.parametrize("n_steps", range(1, 15))
def test_an_interrupted_update_goes_on_where_it_was(course, monkeypatch, before, half, n_steps):
    "Ctrl-C in the middle of any write or renaming, or after it."
    edition, mine = course
    if before:
        update_folder(edition(before), mine)
    source, steps = edition("second"), iter(range(1, n_steps + 1))

    def interrupted(real, half_done):
        def step(*args, **more):
            last = next(steps) == n_steps
            (half_done if last and half else real)(*args, **more)
            if last:
                raise KeyboardInterrupt

        return step

    with monkeypatch.context() as patch:
        real = Path.write_text
        half_text = lambda path, text, **more: real(path, text[: len(text) // 2], **more)
        patch.setattr(Path, "write_text", interrupted(real, half_text))
        patch.setattr(os, "replace", interrupted(os.replace, lambda *args: None))
        with pytest.raises(KeyboardInterrupt):
            update_folder(source, mine)
    assert update_folder(source, mine) == []
    assert sorted(path.name for path in mine.iterdir()) == [MARKER, "01_a.ipynb", "02_b.ipynb", "03_c.ipynb"]
    assert [holds(mine / name) for name in ("01_a.ipynb", "02_b.ipynb", "03_c.ipynb")] == [
        f"{k}, second" for k in "abc"
    ]


@pytest.mark.parametrize("broken", [b"\xff\xfe", b"{", b"5"])
def test_a_broken_notebook_of_the_course_is_named_and_nothing_is_begun(course, broken, monkeypatch, capsys):
    edition, mine = course
    source = edition("first")
    (source / "02_b.ipynb").write_bytes(broken)
    monkeypatch.setattr(lesson13_learn, "course_notebooks", lambda: source)
    assert main(["--no-lab", "--dir", str(mine)]) == 2
    err = capsys.readouterr().err
    assert str(source / "02_b.ipynb") in err and err.count("\n") == 1
    assert not mine.exists()
    assert update_folder(edition("first"), mine) == []


@pytest.mark.parametrize("damage", ["", "{", "5", "null", "[1, 2]", '"x"'])
def test_a_damaged_marker_loses_nothing(course, damage):
    edition, mine = course
    update_folder(edition("first"), mine)
    (mine / "01_a.ipynb").write_bytes(b"\xff my work")
    (mine / MARKER).write_text(damage)
    assert len(update_folder(edition("second"), mine)) == 3
    assert (mine / "01_a.ipynb").read_bytes() == b"\xff my work"
    assert holds(mine / "02_b.new.ipynb") == "b, second"
    assert update_folder(edition("second"), mine) == []


def test_where_the_notebooks_are_looked_for(tmp_path, monkeypatch):
    "In the environment, in the user's own folder (pip install --user), beside the package (pip install --target)."
    spec = type("Spec", (), {"origin": str(tmp_path / "site" / "lesson13" / "__init__.py")})
    monkeypatch.setattr(lesson13_learn, "find_spec", lambda name: spec)
    monkeypatch.setattr(lesson13_learn.sysconfig, "get_path", lambda name: str(tmp_path / "environment"))
    monkeypatch.setattr(lesson13_learn.site, "getuserbase", lambda: str(tmp_path / "user"))
    with pytest.raises(ValueError, match="install lesson13 again"):
        course_notebooks()
    for base in ("user", "environment", "site"):
        place = tmp_path / base / "share" / "lesson13" / "nbs"
        place.mkdir(parents=True)
        (place / "index.ipynb").write_text("{}")
        assert course_notebooks() == place


def test_the_module_is_the_command_too(tmp_path):
    run = [sys.executable, "-m", "lesson13.tools.learn", "--no-lab"]
    answer = subprocess.run(run, cwd=tmp_path, env=ENV, capture_output=True, text=True, timeout=60)
    assert answer.returncode == 0, answer.stderr
    assert (tmp_path / "learn" / "index.ipynb").exists()


needs_signals = pytest.mark.skipif(os.name != "posix", reason="ends the server with a POSIX signal")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def fetch(url, data=None):
    request = urllib.request.Request(url, data=data, headers={"Authorization": "token lesson13"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.loads(answer.read() or b"{}")


def run_in_kernel(port, kernel, sources):
    "Run cells in a kernel of the server over one websocket; what each of them replied."
    from websocket import create_connection

    url = f"ws://127.0.0.1:{port}/api/kernels/{kernel}/channels"
    connection = create_connection(url, header=["Authorization: token lesson13"], timeout=60)
    for k, source in enumerate(sources):
        header = {
            "msg_id": f"cell-{k}",
            "msg_type": "execute_request",
            "username": "",
            "session": "s",
            "version": "5.3",
        }
        message = {
            "header": header,
            "parent_header": {},
            "metadata": {},
            "content": {"code": source},
            "channel": "shell",
        }
        connection.send(json.dumps(message))
        while True:
            answer = json.loads(connection.recv())
            mine = answer.get("parent_header", {}).get("msg_id") == f"cell-{k}"
            if mine and answer["header"]["msg_type"] == "execute_reply":
                yield source, answer["content"]
                break
    connection.close()


CONFIG = """
c.ServerApp.root_dir = {other!r}
c.ServerApp.preferred_dir = {other!r}
c.FileContentsManager.root_dir = {other!r}
c.FileContentsManager.preferred_dir = "sub"
"""


@pytest.fixture
def server(tmp_path):
    "`server(folder, config='')`: JupyterLab as the command starts it, and its address; ended at the end of the test."
    started = []

    def start(folder, config=""):
        (tmp_path / "config").mkdir()
        (tmp_path / "config" / "jupyter_server_config.py").write_text(config)
        port = free_port()
        env = {**ENV, "JUPYTER_PORT": str(port), "JUPYTER_TOKEN": "lesson13"}
        env["JUPYTER_CONFIG_DIR"] = str(tmp_path / "config")
        log = (tmp_path / "log").open("w")
        try:  # JupyterLab asks before it ends only where somebody could answer
            _, terminal = pty.openpty()
        except OSError:  # a container without terminals
            terminal = subprocess.DEVNULL
        process = subprocess.Popen(
            [*LEARN, "--no-browser", "--dir", str(folder)],
            cwd=tmp_path,
            env=env,
            stdout=log,
            stderr=log,
            stdin=terminal,
            start_new_session=True,
        )
        started.append(process)
        process.log = lambda: (tmp_path / "log").read_text()
        for _ in range(240):
            try:
                assert "version" in fetch(f"http://127.0.0.1:{port}/api")
                return process, port
            except OSError:
                assert process.poll() is None, process.log()
                time.sleep(0.25)
        raise AssertionError("JupyterLab does not answer")

    yield start
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def ended(process):
    "The exit code of a server that was asked to end; None if it has not ended after a minute."
    with suppress(subprocess.TimeoutExpired):
        return process.wait(timeout=60)


def alive(pid):
    "Is there such a process, and not just its exit code that nobody has asked for?"
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except ProcessLookupError:
        return False
    except OSError:  # no /proc
        return True


@needs_signals
def test_any_configuration_serves_the_folder_and_runs_a_chapter(tmp_path, server):
    "A user's own folders, other letters in the name; Ctrl-C ends JupyterLab and its kernels, without a question."
    (tmp_path / "other" / "sub").mkdir(parents=True)
    process, port = server(tmp_path / "my course, \u732b", CONFIG.format(other=str(tmp_path / "other")))
    base = f"http://127.0.0.1:{port}"
    first = fetch(f"{base}/api/contents/01_data.ipynb")["content"]["cells"]
    kernel = fetch(f"{base}/api/kernels", data=b"{}")["id"]
    code = [c["source"] for c in first if c["cell_type"] == "code"]
    code.append("import os; open('pid', 'w').write(str(os.getpid()))")
    for source, reply in run_in_kernel(port, kernel, code):
        assert reply["status"] == "ok", (source, reply)
    kernel_pid = int((tmp_path / "my course, \u732b" / "pid").read_text())
    assert alive(kernel_pid)
    process.send_signal(signal.SIGINT)
    assert ended(process) == 0, process.log()
    for _ in range(100):  # a kernel looks for its server once a second
        if not alive(kernel_pid):
            return
        time.sleep(0.1)
    raise AssertionError("the kernel lives on")


@needs_signals
def test_jupyterlab_in_a_browser(tmp_path, server, browser):
    "It opens on a chapter whose imports are folded, and asks nothing; a request to end is heeded."
    process, port = server(tmp_path / "learn")
    context = browser.new_context(viewport={"width": 1100, "height": 900})
    page = context.new_page()
    page.goto(f"http://127.0.0.1:{port}/lab/tree/{CHAPTERS[0]}?token=lesson13", wait_until="commit")
    page.locator(".jp-InputPlaceholder", has_text="import").first.wait_for(timeout=60000)
    page.locator("#jp-main-statusbar", has_text="| Idle").wait_for(timeout=60000)  # its kernel is there
    page.wait_for_timeout(1000)  # what wants to ask, asks now
    assert page.locator(".Toastify__toast, .jp-Dialog").count() == 0
    text = page.locator(".jp-Notebook").inner_text()
    assert "#|" not in text and "Colab" not in text
    context.close()
    process.terminate()
    assert ended(process) == 0, process.log()

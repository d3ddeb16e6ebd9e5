"""The learner's way in, as a process: the folder is made, kept and refused as promised, and JupyterLab answers."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LEARN = [sys.executable, "-c", "import sys; from lesson13.learn import main; sys.exit(main())"]
ENV = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"}


def learn(*arguments, cwd):
    return subprocess.run([*LEARN, *arguments], cwd=cwd, env=ENV, capture_output=True, text=True, timeout=60)


def test_makes_updates_and_keeps(tmp_path):
    first = learn("--no-lab", cwd=tmp_path)
    assert first.returncode == 0, first.stderr
    books = sorted((tmp_path / "learn").glob("*.ipynb"))
    assert [p.name for p in books] == sorted(p.name for p in (ROOT / "nbs").glob("*.ipynb"))
    assert (tmp_path / "learn" / "images" / "map.png").exists()
    mine = tmp_path / "learn" / "01_matmul.ipynb"
    mine.write_text(mine.read_text(encoding="utf-8").replace("matmul", "mine"), encoding="utf-8")
    kept = mine.read_text(encoding="utf-8")
    assert learn("--no-lab", cwd=tmp_path).returncode == 0
    assert mine.read_text(encoding="utf-8") == kept


def test_refuses_a_folder_it_did_not_make(tmp_path):
    (tmp_path / "precious.txt").write_text("mine")
    answer = learn("--no-lab", "--dir", str(tmp_path), cwd=tmp_path)
    assert answer.returncode == 2
    assert answer.stderr.count("\n") == 1 and "was not made by lesson13-learn" in answer.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["precious.txt"]


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


@pytest.mark.skipif(sys.platform == "win32", reason="stops the server with a POSIX signal")
def test_jupyterlab_answers_and_runs_the_first_notebook(tmp_path):
    port = free_port()
    env = {**ENV, "JUPYTER_PORT": str(port), "JUPYTER_TOKEN": "lesson13"}
    command = [*LEARN, "--no-browser", "--dir", str(tmp_path / "learn")]
    log = (tmp_path / "log").open("w")
    root = {"preexec_fn": os.setsid}
    server = subprocess.Popen(command, cwd=tmp_path, env=env, stdout=log, stderr=subprocess.STDOUT, **root)
    base = f"http://127.0.0.1:{port}"
    try:
        for _ in range(240):
            try:
                assert "version" in fetch(f"{base}/api")
                break
            except OSError:
                assert server.poll() is None, (tmp_path / "log").read_text()
                time.sleep(0.25)
        first = fetch(f"{base}/api/contents/00_data.ipynb")["content"]["cells"]
        kernel = fetch(f"{base}/api/kernels", data=b"{}")["id"]
        code = [c["source"] for c in first if c["cell_type"] == "code" and "show_doc" not in c["source"]]
        for source, reply in run_in_kernel(port, kernel, code):
            assert reply["status"] == "ok", (source, reply)
    finally:
        if server.poll() is None:
            os.killpg(server.pid, 15)
        server.wait(timeout=30)
        log.close()

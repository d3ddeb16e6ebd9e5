"""Files and mirrors that misbehave: lesson13.data answers with a right tensor or with an error that names the file."""

import gzip
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
import tracemalloc
from contextlib import suppress
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import torch

from lesson13 import data

ROOT = Path(__file__).resolve().parents[1]
HEADER = bytes.fromhex("00000803 00000002 00000002 00000003")
TINY = HEADER + bytes(range(12))


def idx_bytes(array):
    "An IDX file in memory, of unsigned bytes."
    sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
    return bytes([0, 0, 8, array.ndim]) + sizes + array.astype("u1").tobytes()


def write(path, content):
    path.write_bytes(content)
    return path


# ---------------------------------------------------------------- read_idx


@pytest.mark.parametrize("kind, dtype", data.IDX_TYPES.items())
def test_each_type_of_number(tmp_path, kind, dtype):
    values = np.array([[1, 2, 3], [4, 5, 100]], dtype)
    path = write(tmp_path / "x", bytes([0, 0, kind, 2, 0, 0, 0, 2, 0, 0, 0, 3]) + values.tobytes())
    found = data.read_idx(path)
    assert found.dtype == torch.from_numpy(values.astype(values.dtype.newbyteorder("="))).dtype
    assert found.tolist() == values.tolist()


@pytest.mark.parametrize("name", ["x", "x.gz"])
@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzipped"])
def test_content_decides_whether_it_is_gzipped(tmp_path, name, pack):
    found = data.read_idx(write(tmp_path / name, pack(TINY)))
    assert found.shape == (2, 2, 3) and found.flatten().tolist() == list(range(12))


WRONG = {
    "empty": (b"", "ends early"),
    "three bytes": (TINY[:3], "ends early"),
    "cut in the sizes": (TINY[:9], "ends early"),
    "cut in the values": (TINY[:-1], "ends early"),
    "too long": (TINY + b"\0", "goes on"),
    "web page": (b"<html>404 not found</html>", "not an IDX file"),
    "unknown type": (b"\0\0\x0a" + TINY[3:], "not an IDX file"),
    "no dimensions": (b"\0\0\x08\0" + TINY[4:], "not an IDX file"),
    "200 dimensions": (b"\0\0\x08\xc8" + TINY[4:], "not an IDX file"),
    "a size of zero": (TINY[:4] + bytes(4) + TINY[8:], "empty"),
    "giant sizes": (TINY[:4] + b"\xff" * 12 + TINY[16:], "more than the file can hold"),
    "2,000 times its size": (b"\0\0\x08\x01" + (8 * 2000).to_bytes(4, "big"), "more than the file can hold"),
    "gzip, cut": (gzip.compress(TINY, mtime=0)[:-5], "damaged gzip"),
    "gzip, checksum changed": (gzip.compress(TINY, mtime=0)[:-8] + bytes(8), "damaged gzip"),
    "gzip, only its first bytes": (b"\x1f\x8b", "damaged gzip"),
    "gzip, then something else": (gzip.compress(TINY, mtime=0) + b"x", "damaged gzip"),
    "gzipped twice": (gzip.compress(gzip.compress(TINY), mtime=0), "not an IDX file"),
    "zip": (b"PK\x03\x04" + bytes(60), "not an IDX file"),
}


@pytest.mark.abuse
@pytest.mark.parametrize("content, complaint", WRONG.values(), ids=WRONG)
def test_wrong_content_is_a_value_error_that_names_the_file(tmp_path, content, complaint):
    path = write(tmp_path / "x", content)
    with pytest.raises(ValueError, match=complaint) as caught:
        data.read_idx(path)
    assert str(path) in str(caught.value)
    assert os.listdir(tmp_path) == ["x"]


@pytest.mark.abuse
def test_what_is_no_file_is_an_os_error(tmp_path):
    with pytest.raises(OSError, match="not a file"):
        data.read_idx(tmp_path)
    with pytest.raises(FileNotFoundError, match="missing"):
        data.read_idx(tmp_path / "missing")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(OSError, match="pipe"):
            data.read_idx(tmp_path / "pipe")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file_is_an_os_error(tmp_path):
    path = write(tmp_path / "x", TINY)
    path.chmod(0)
    with pytest.raises(OSError, match="x"):
        data.read_idx(path)


def mutate(content, rng):
    "Flip bits, cut, insert, or claim enormous sizes."
    content = bytearray(content)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(content)) if content else 0
        kind = rng.randrange(5)
        if kind == 0 and content:
            content[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            del content[at:]
        elif kind == 2:
            content[at:at] = rng.randbytes(rng.randint(1, 9))
        elif kind == 3:
            content[4 : 4 + 4 * rng.randint(1, 3)] = b"\xff" * (4 * rng.randint(1, 3))
        elif kind == 4 and len(content) > 3:
            content[2:4] = bytes([rng.choice([*data.IDX_TYPES]), rng.randrange(256)])
    return bytes(content)


@pytest.mark.abuse
@pytest.mark.parametrize("n_files", [5_000, pytest.param(100_000, marks=pytest.mark.slow)])
def test_mutated_files(tmp_path, n_files):
    seed = int(os.environ.get("LESSON13_SEED", "13"))
    print(f"seed {seed} (LESSON13_SEED)")
    rng, path = random.Random(seed), tmp_path / "x"
    picture = idx_bytes(np.random.default_rng(seed).integers(0, 256, (7, 28, 28)))
    originals = [
        TINY,
        picture,
        gzip.compress(picture, mtime=0),
        gzip.compress(bytes.fromhex("00000801 00008000") + bytes(2**15)),
    ]
    refused = 0
    tracemalloc.start()
    for k in range(n_files):
        packed = rng.random() < 0.2  # damage below the gzip layer
        content = mutate(originals[k % 4], rng)
        path.write_bytes(gzip.compress(content, 1) if packed else content)
        try:
            assert isinstance(data.read_idx(path), torch.Tensor)
        except (ValueError, OSError) as error:
            refused += 1
            assert str(path) in str(error)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert refused > 0.6 * n_files
    assert peak < 200e6, f"{peak / 1e6:.0f} MB"


@pytest.mark.abuse
def test_a_gzip_bomb_that_claims_more_than_it_holds(tmp_path):
    bomb = gzip.compress(b"\0\0\x08\x01\xff\xff\xff\xff" + bytes(2**24))
    tracemalloc.start()
    with pytest.raises(ValueError, match="more than the file can hold"):
        data.read_idx(write(tmp_path / "bomb", bomb))
    assert tracemalloc.get_traced_memory()[1] < 5e6
    tracemalloc.stop()


def test_what_gzip_shrinks_best_is_read(tmp_path):
    zeros = gzip.compress(b"\0\0\x08\x01" + (2**24).to_bytes(4, "big") + bytes(2**24))
    assert len(zeros) * 1000 < 2**24
    assert data.read_idx(write(tmp_path / "x", zeros)).shape == (2**24,)


# ---------------------------------------------------------------- a small stand-in for MNIST, and mirrors for it


@pytest.fixture(scope="session")
def files():
    "Name -> gzipped IDX file, in MNIST's layout but with pictures of 2 × 2."
    rng = np.random.default_rng(0)
    sizes = {
        "train-images": (50_010, 2, 2),
        "train-labels": (50_010,),
        "t10k-images": (9, 2, 2),
        "t10k-labels": (9,),
    }
    return {
        f"{name}-idx{len(shape)}-ubyte": gzip.compress(idx_bytes(rng.integers(0, 10, shape)), 1)
        for name, shape in sizes.items()
    }


@pytest.fixture(scope="session")
def sums(files, tmp_path_factory):
    path = tmp_path_factory.mktemp("sums") / "x"
    return {name: data._idx_sha256(data.read_idx(write(path, content))) for name, content in files.items()}


class Mirror(BaseHTTPRequestHandler):
    "The first part of the path says how to misbehave: /cut-100/NAME.gz"

    def __init__(self, files, requests, *args):
        self.files, self.requests = files, requests
        super().__init__(*args)

    def log_message(self, *args):
        pass

    def trickle(self, content):
        "A byte at a time, for a few seconds, unless the other side has gone."
        with suppress(OSError):
            for at in range(100):
                self.wfile.write(content[at : at + 1])
                time.sleep(0.1)

    def do_GET(self):
        how, name = self.path.strip("/").split("/")
        how, _, number = how.partition("-")
        self.requests.append(how)
        content = self.files[name.removesuffix(".gz")]
        if how == "drip":  # header after header, and never a body
            return self.trickle(b"HTTP/1.0 200 OK\r\n" + b"X-Header: x\r\n" * 200)
        status = {"forbidden": 403, "missing": 404, "broken": 500, "redirect": 302}.get(how, 200)
        if how == "wrong":
            content = self.files["t10k-labels-idx1-ubyte" if "images" in name else "t10k-images-idx3-ubyte"]
        if how == "page":
            content = b"<html>please log in</html>"
        if how == "plain":
            content = gzip.decompress(content)
        self.send_response(status)
        if how == "redirect":
            self.send_header("Location", f"/good/{name}")
        if how != "unsized":
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if how == "trickle":
            return self.trickle(content)
        self.wfile.write(content[: int(number)] if number else content)
        if how == "stall":
            self.wfile.flush()
            time.sleep(3)


class Server(ThreadingHTTPServer):
    # 5 by default: of eight connections at once, some would wait a second for a place.
    request_queue_size = 64


@pytest.fixture
def mirror(files, sums, monkeypatch):
    "mirror('cut-10', 'good') sets the mirrors; mirror.requests lists how they were used."
    requests = []
    server = Server(("127.0.0.1", 0), partial(Mirror, files, requests))
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1")
    monkeypatch.delenv("LESSON13_DATA", raising=False)
    monkeypatch.setattr(data, "MNIST_SHA256", sums)

    def choose(*ways):
        "Patience is short only where a mirror tries it: on a busy machine a good one, too, may take a second."
        mirrors = tuple(f"http://127.0.0.1:{server.server_port}/{way}/" for way in ways)
        monkeypatch.setattr(data, "MIRRORS", mirrors)
        monkeypatch.setattr(data, "TIMEOUT", 0.5 if "stall-30" in ways else 30)
        monkeypatch.setattr(data, "DEADLINE", 1.5 if {"trickle", "drip"} & set(ways) else 60)
        return mirrors

    choose.requests = requests
    yield choose
    server.shutdown()
    server.server_close()


def names_in(folder):
    return sorted(path.name for path in Path(folder).iterdir())


def fill(folder, files):
    folder.mkdir()
    for name, content in files.items():
        write(folder / f"{name}.gz", content)
    return folder


# ---------------------------------------------------------------- downloads


def test_a_good_mirror_is_used_once(tmp_path, mirror, files):
    mirror("good")
    found = data.load_data("mnist", cache=tmp_path / "new" / "folder")
    assert (
        found.x_train.shape == (50_000, 4) and found.x_valid.shape == (10, 4) and found.x_test.shape == (9, 4)
    )
    assert found.x_train.dtype == torch.float32 and found.y_train.dtype == torch.int64
    assert 0 <= found.x_train.min() and found.x_train.max() <= 1
    assert names_in(tmp_path / "new" / "folder") == sorted(f"{name}.gz" for name in files)
    data.load_data("mnist", cache=tmp_path / "new" / "folder")
    assert mirror.requests == ["good"] * 4


BAD = [
    "forbidden",
    "missing",
    "broken",
    "wrong",
    "page",
    "stall-30",
    "cut-0",
    "cut-1",
    "cut-17",
    "unsized-40",
    "trickle",
    "drip",
]


@pytest.mark.abuse
@pytest.mark.parametrize("way", BAD)
def test_the_next_mirror_is_tried(tmp_path, mirror, files, way):
    mirror(way, "good")
    name = "t10k-images-idx3-ubyte"
    assert data._mnist_file(name, tmp_path).shape == (9, 2, 2)
    assert names_in(tmp_path) == [f"{name}.gz"]
    assert mirror.requests == [way.partition("-")[0], "good"]


@pytest.mark.abuse
def test_a_download_cut_off_at_any_byte(tmp_path, mirror, files):
    name = "t10k-labels-idx1-ubyte"
    for n_bytes in range(1, len(files[name]), 3):
        mirror(f"unsized-{n_bytes}")
        with pytest.raises(OSError, match="no mirror delivered"):
            data._mnist_file(name, tmp_path)
        assert names_in(tmp_path) == []
    mirror("good")
    assert data._mnist_file(name, tmp_path).shape == (9,)


@pytest.mark.abuse
@pytest.mark.parametrize("way", BAD)
def test_if_none_delivers_the_error_says_what_to_do_and_a_rerun_succeeds(tmp_path, mirror, files, way):
    urls = mirror(way, "broken")
    with pytest.raises(OSError) as caught:
        data.load_data("mnist", cache=tmp_path)
    text = str(caught.value)
    assert all(url in text for url in urls)
    assert all(f"{name}.gz" in text for name in files) and str(tmp_path) in text and "LESSON13_DATA" in text
    assert ".part" not in text
    assert names_in(tmp_path) == []
    mirror("good")
    assert len(data.load_data("mnist", cache=tmp_path).y_test) == 9


@pytest.mark.abuse
@pytest.mark.parametrize("way", ["redirect", "plain"])
def test_redirects_and_uncompressed_bodies_are_fine(tmp_path, mirror, way):
    mirror(way)
    assert len(data.load_data("mnist", cache=tmp_path).y_test) == 9


@pytest.mark.abuse
def test_no_network(tmp_path, mirror, monkeypatch):
    monkeypatch.setattr(data, "MIRRORS", ("http://127.0.0.1:9/",))
    with pytest.raises(OSError, match="no mirror delivered train-images-idx3-ubyte.gz"):
        data.load_data("mnist", cache=tmp_path)
    assert names_in(tmp_path) == []


CHILD = """
import sys
from lesson13 import data
data.MNIST_SHA256, data.MIRRORS = eval(sys.argv[2]), eval(sys.argv[3])
print(data.load_data("mnist", cache=sys.argv[1]))
"""


def child(folder, sums, mirrors):
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", CHILD, str(folder), repr(sums), repr(mirrors)]
    return subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.abuse
def test_two_processes_at_once(tmp_path, mirror, files, sums):
    mirrors = mirror("good")
    for process in [child(tmp_path, sums, mirrors) for _ in range(2)]:
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
        assert "x_train=(50000, 4)" in out
    assert names_in(tmp_path) == sorted(f"{name}.gz" for name in files)


@pytest.mark.abuse
def test_many_threads_at_once(tmp_path, mirror, files):
    mirror("good")
    found, name = [], "t10k-images-idx3-ubyte"
    threads = [
        threading.Thread(target=lambda: found.append(data._mnist_file(name, tmp_path))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8 and names_in(tmp_path) == [f"{name}.gz"]


@pytest.mark.abuse
def test_what_never_ends_is_given_up_in_time(tmp_path, mirror):
    mirror("trickle", "drip")
    with pytest.raises(OSError) as caught:
        data._mnist_file("t10k-labels-idx1-ubyte", tmp_path)
    assert str(caught.value).count("took longer than 1.5 seconds") == 2
    assert names_in(tmp_path) == []


def started(folder, sums, mirror):
    "A process in the middle of a download: its first bytes are there."
    process, deadline = child(folder, sums, mirror("stall-30")), time.monotonic() + 60
    while not any(path.name.startswith(".part") for path in folder.iterdir()):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)
    return process


@pytest.mark.abuse
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL here")
def test_what_a_killed_download_leaves_is_cleared_by_the_next(tmp_path, mirror, files, sums):
    process = started(tmp_path, sums, mirror)
    process.kill()
    process.communicate()
    left = names_in(tmp_path)
    assert len(left) == 1 and re.fullmatch(
        rf"\.part{data._HOST}@{process.pid}-\d+-train-images-idx3-ubyte\.gz", left[0]
    )
    mirror("good")
    assert len(data.load_data("mnist", cache=tmp_path).y_test) == 9
    assert names_in(tmp_path) == sorted(f"{name}.gz" for name in files)


@pytest.mark.abuse
def test_what_another_process_is_writing_is_left_alone(tmp_path, mirror, files, sums):
    process = started(tmp_path, sums, mirror)
    (its_part,) = names_in(tmp_path)
    mirror("good")
    assert len(data.load_data("mnist", cache=tmp_path).y_test) == 9
    assert process.poll() is None and its_part in names_in(tmp_path)
    process.communicate(timeout=60)
    assert names_in(tmp_path) == sorted(f"{name}.gz" for name in files)


@pytest.mark.skipif(os.name != "posix", reason="processes cannot be asked whether they run")
def test_which_leftovers_are_cleared(tmp_path):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    here = f".part{data._HOST}@"
    gone = [f"{here}{ended.pid}-7-x", f"{here}{os.getpid()}-7-x", ".partelsewhere@1-8-x"]
    kept = [
        f"{here}{os.getppid()}-7-x",  # a process that runs
        f".partelsewhere@{ended.pid}-7-x",  # another machine's or container's, where the same numbers mean others
        f".partelsewhere@{os.getpid()}-7-x",
        f"{here}{ended.pid}-7-a-x",
        f"{here}{ended.pid}-7-y",  # another file's
        f"{here}99999999999999999999-7-x",  # no number of a process
        f"{here}-7-x",
        f".part{ended.pid}-7-x",
        ".partial-x",
    ]
    for name in [*gone, *kept]:
        write(tmp_path / name, b"")
    os.utime(tmp_path / ".partelsewhere@1-8-x", (time.time() - 3700,) * 2)
    with data._unfinished(tmp_path / "x") as part, data._unfinished(tmp_path / "y"):
        write(part, b"")
        with data._unfinished(tmp_path / "y"):  # looks through the folder again
            assert part.exists()
    assert names_in(tmp_path) == sorted(set(kept) - {f"{here}{ended.pid}-7-y"})


# ---------------------------------------------------------------- the cache


def test_a_tilde_is_the_home_folder(tmp_path, mirror, files, monkeypatch):
    mirror()
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.chdir(tmp_path)
    fill(tmp_path / "mnist", files)
    assert len(data.load_data("mnist", cache="~/mnist").y_test) == 9
    monkeypatch.setenv("LESSON13_DATA", "~/mnist")
    assert len(data.load_data("mnist").y_test) == 9
    assert names_in(tmp_path) == ["mnist"]


def test_the_argument_comes_before_the_environment(tmp_path, mirror, files, monkeypatch):
    urls = mirror()
    full, bare = fill(tmp_path / "full", files), tmp_path / "bare"
    monkeypatch.setenv("LESSON13_DATA", str(full))
    assert len(data.load_data("mnist").y_test) == 9
    with pytest.raises(OSError, match=re.escape(str(bare))):
        data.load_data("mnist", cache=bare)
    monkeypatch.setenv("LESSON13_DATA", str(bare))
    assert len(data.load_data("mnist", cache=full).y_test) == 9
    assert urls == () and mirror.requests == []


def test_the_users_cache_folder_comes_last(tmp_path, mirror, files, monkeypatch):
    import pooch

    mirror()
    monkeypatch.setattr(pooch, "os_cache", lambda project: tmp_path / project)
    fill(tmp_path / "lesson13", files)
    assert len(data.load_data("mnist").y_test) == 9


def test_plain_files_and_files_zipped_again_are_accepted(tmp_path, mirror, files):
    mirror()
    folder = tmp_path / "cache"
    folder.mkdir()
    for k, (name, content) in enumerate(files.items()):
        raw = gzip.decompress(content)
        write(folder / (name if k % 2 else f"{name}.gz"), raw if k % 2 else gzip.compress(raw, 9))
    assert len(data.load_data("mnist", cache=folder).y_test) == 9


@pytest.mark.abuse
@pytest.mark.parametrize(
    "content", [b"", TINY, gzip.compress(TINY, mtime=0), b"<html>", gzip.compress(TINY, mtime=0)[:20]]
)
def test_a_wrong_file_in_the_cache_is_named_and_left_alone(tmp_path, mirror, files, content):
    mirror("good")
    folder = fill(tmp_path / "cache", files)
    path = write(folder / "t10k-labels-idx1-ubyte.gz", content)
    with pytest.raises(ValueError, match=re.escape(str(path))):
        data.load_data("mnist", cache=folder)
    assert path.read_bytes() == content and mirror.requests == [] and len(names_in(folder)) == 4


def test_a_single_changed_pixel_is_noticed(tmp_path, mirror, files):
    mirror()
    folder = fill(tmp_path / "cache", files)
    raw = bytearray(gzip.decompress(files["train-images-idx3-ubyte"]))
    raw[-1] ^= 1
    write(folder / "train-images-idx3-ubyte.gz", gzip.compress(raw, 1))
    with pytest.raises(ValueError, match="wrong checksum"):
        data.load_data("mnist", cache=folder)


def test_a_cache_that_is_a_file(tmp_path, mirror):
    mirror("good")
    path = write(tmp_path / "x", b"")
    with pytest.raises(OSError, match="x"):
        data.load_data("mnist", cache=path)
    assert path.read_bytes() == b""


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_cache_that_cannot_be_written(tmp_path, mirror):
    mirror("good")
    tmp_path.chmod(0o500)
    with pytest.raises(OSError, match="no mirror delivered"):
        data.load_data("mnist", cache=tmp_path)


# ---------------------------------------------------------------- load_data and show_images


def test_the_embedded_digits():
    found = data.load_data()
    assert found.x_train.shape == (1437, 64) and found.x_valid.shape == (360, 64) and found.x_test is None
    assert found.x_train.dtype == torch.float32 and found.y_train.dtype == torch.int64
    assert (found.x_train.min(), found.x_train.max()) == (0, 1)
    assert found.image_shape == (8, 8) and found.n_classes == 10
    counts = found.y_valid.bincount()
    assert counts.min() >= 34 and counts.max() <= 38
    assert torch.equal(found.x_valid, data.load_data("digits").x_valid)
    assert len(repr(found)) < 300


def test_the_embedded_digits_are_those_of_scikit_learn_also_if_its_file_moves(monkeypatch):
    from sklearn.datasets import load_digits

    raw, from_file = load_digits(), data._embedded_rows()
    assert (from_file[:, :-1] == raw.data).all() and (from_file[:, -1] == raw.target).all()
    monkeypatch.setattr(data, "find_spec", lambda name: None)
    assert (data._embedded_rows() == from_file).all()


@pytest.mark.parametrize("source", ["MNIST", "", None, 3])
def test_an_unknown_source(source):
    with pytest.raises(ValueError, match="'digits' or 'mnist'"):
        data.load_data(source)


def test_show_images():
    assert len(data.show_images(torch.zeros(12, 64), titles=range(12)).axes) == 20
    assert len(data.show_images(torch.zeros(1, 5, 7)).axes) == 1
    for wrong in (
        torch.zeros(3, 10),
        torch.zeros(64),
        torch.zeros(0, 64),
        torch.zeros(201, 64),
        torch.zeros(2, 0),
    ):
        with pytest.raises(ValueError, match="show_images: x is"):
            data.show_images(wrong)
    for titles in ([1, 2], [1, 2, 3, 4], "abc"):
        with pytest.raises(ValueError, match="3 pictures"):
            data.show_images(torch.zeros(3, 64), titles=titles)


# ---------------------------------------------------------------- the real files, where they are at hand


@pytest.fixture(scope="session")
def mnist_folder():
    candidates = [
        Path(os.environ.get("LESSON13_DATA") or "/nonexistent"),
        ROOT.parent / "shared" / "data" / "mnist",
    ]
    for folder in candidates:
        if any((folder / f"train-images-idx3-ubyte{end}").exists() for end in ("", ".gz")):
            return folder
    pytest.skip("no MNIST files: name their folder in LESSON13_DATA")


def test_mnist(mnist_folder):
    found = data.load_data("mnist", cache=mnist_folder)
    assert found.x_train.shape == (50_000, 784) and found.x_valid.shape == (10_000, 784)
    assert found.x_test.shape == (10_000, 784) and found.image_shape == (28, 28)
    assert found.y_train[:5].tolist() == [5, 0, 4, 1, 9] and found.y_test[:5].tolist() == [7, 2, 1, 0, 4]
    assert (found.x_train.min(), found.x_train.max()) == (0, 1)

"""Files and mirrors that misbehave: tools.mnist answers with the right tensor or with an error that says what to do."""

import gzip
import hashlib
import os
import re
import threading
import time
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import torch

from lesson13.data import load_data
from lesson13.tools import mnist

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


@pytest.mark.parametrize("kind, dtype", mnist.IDX_TYPES.items())
def test_each_type_of_number(tmp_path, kind, dtype):
    values = np.array([[1, 2, 3], [4, 5, 100]], dtype)
    path = write(tmp_path / "x", bytes([0, 0, kind, 2, 0, 0, 0, 2, 0, 0, 0, 3]) + values.tobytes())
    found = mnist.read_idx(path)
    assert found.dtype == torch.from_numpy(values.astype(values.dtype.newbyteorder("="))).dtype
    assert found.tolist() == values.tolist()


@pytest.mark.parametrize("name", ["x", "x.gz"])
@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzipped"])
def test_content_decides_whether_it_is_gzipped(tmp_path, name, pack):
    found = mnist.read_idx(write(tmp_path / name, pack(TINY)))
    assert found.shape == (2, 2, 3) and found.flatten().tolist() == list(range(12))


WRONG = {
    "empty": (b"", "not an IDX file"),
    "three bytes": (TINY[:3], "not an IDX file"),
    "cut in the sizes": (TINY[:9], "do not hold the shape"),
    "cut in the values": (TINY[:-1], "do not hold the shape"),
    "too long": (TINY + b"\0", "do not hold the shape"),
    "web page": (b"<html>404 not found</html>", "not an IDX file"),
    "unknown type": (b"\0\0\x0a" + TINY[3:], "not an IDX file"),
    "200 dimensions": (b"\0\0\x08\xc8" + TINY[4:], "do not hold the shape"),
    "giant sizes": (TINY[:4] + b"\xff" * 12 + TINY[16:], "do not hold the shape"),
    "gzip, cut": (gzip.compress(TINY, mtime=0)[:-5], "damaged gzip"),
    "gzip, checksum changed": (gzip.compress(TINY, mtime=0)[:-8] + bytes(8), "damaged gzip"),
    "gzip, only its first bytes": (b"\x1f\x8b", "damaged gzip"),
    "gzipped twice": (gzip.compress(gzip.compress(TINY), mtime=0), "not an IDX file"),
}


@pytest.mark.abuse
@pytest.mark.parametrize("content, complaint", WRONG.values(), ids=WRONG)
def test_wrong_content_is_a_value_error_that_names_the_file(tmp_path, content, complaint):
    path = write(tmp_path / "x", content)
    with pytest.raises(ValueError, match=complaint) as caught:
        mnist.read_idx(path)
    assert str(path) in str(caught.value)


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


class Mirror(BaseHTTPRequestHandler):
    "The first part of the path says how to misbehave: /cut-100/NAME.gz"

    def __init__(self, files, requests, *args):
        self.files, self.requests = files, requests
        super().__init__(*args)

    def log_message(self, *args):
        pass

    def do_GET(self):
        how, name = self.path.strip("/").split("/")
        how, _, number = how.partition("-")
        self.requests.append(how)
        content = self.files[name.removesuffix(".gz")]
        status = {"forbidden": 403, "missing": 404, "broken": 500, "redirect": 302}.get(how, 200)
        if how == "wrong":
            content = self.files["t10k-labels-idx1-ubyte" if "images" in name else "t10k-images-idx3-ubyte"]
        if how == "page":
            content = b"<html>please log in</html>"
        if how == "plain":
            content = gzip.decompress(content)
        if how == "rezipped":
            content = gzip.compress(gzip.decompress(content), 9)
        self.send_response(status)
        if how == "redirect":
            self.send_header("Location", f"/good/{name}")
        if how != "unsized":
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: int(number)] if number else content)
        if how == "stall":
            self.wfile.flush()
            time.sleep(3)


@pytest.fixture
def mirror(files, monkeypatch):
    "mirror('cut-10', 'good') sets the mirrors; mirror.requests lists how they were used."
    requests = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Mirror, files, requests))
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1")
    monkeypatch.delenv("LESSON13_DATA", raising=False)
    sums = {name: hashlib.sha256(gzip.decompress(content)).hexdigest() for name, content in files.items()}
    monkeypatch.setattr(mnist, "MNIST_SHA256", sums)

    def choose(*ways):
        "Patience is short only where a mirror tries it: on a busy machine a good one, too, may take a second."
        mirrors = tuple(f"http://127.0.0.1:{server.server_port}/{way}/" for way in ways)
        monkeypatch.setattr(mnist, "MIRRORS", mirrors)
        monkeypatch.setattr(mnist, "TIMEOUT", 0.5 if "stall-30" in ways else 30)
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
    folder = tmp_path / "new" / "folder"
    found = load_data("mnist", cache=folder)
    assert found.x_train.shape == (50_000, 4) and found.x_valid.shape == (10, 4)
    assert found.x_test.shape == (9, 4)
    assert found.x_train.dtype == torch.float32 and found.y_train.dtype == torch.int64
    assert 0 <= found.x_train.min() and found.x_train.max() <= 1
    assert names_in(folder) == sorted(f"{name}.gz" for name in files)
    load_data("mnist", cache=folder)
    assert mirror.requests == ["good"] * 4


BAD = ["forbidden", "missing", "broken", "wrong", "page", "stall-30", "cut-0", "cut-17", "unsized-40"]


@pytest.mark.abuse
@pytest.mark.parametrize("way", BAD)
def test_the_next_mirror_is_tried(tmp_path, mirror, way):
    mirror(way, "good")
    name = "t10k-images-idx3-ubyte"
    assert mnist._mnist_file(name, tmp_path).shape == (9, 2, 2)
    assert names_in(tmp_path) == [f"{name}.gz"]
    assert mirror.requests == [way.partition("-")[0], "good"]


@pytest.mark.abuse
@pytest.mark.parametrize("way", BAD)
def test_if_none_delivers_the_error_says_what_to_do_and_a_rerun_succeeds(tmp_path, mirror, files, way):
    urls = mirror(way, "broken")
    with pytest.raises(OSError) as caught:
        load_data("mnist", cache=tmp_path)
    text = str(caught.value)
    assert all(url in text for url in urls)
    assert all(f"{name}.gz" in text for name in files) and str(tmp_path) in text and "LESSON13_DATA" in text
    assert ".part" not in text and names_in(tmp_path) == []
    mirror("good")
    assert len(load_data("mnist", cache=tmp_path).y_test) == 9


@pytest.mark.parametrize("way", ["redirect", "plain", "rezipped"])
def test_redirects_and_files_packed_otherwise_are_fine(tmp_path, mirror, way):
    mirror(way)
    assert len(load_data("mnist", cache=tmp_path).y_test) == 9


def test_no_network(tmp_path, mirror, monkeypatch):
    monkeypatch.setattr(mnist, "MIRRORS", ("http://127.0.0.1:9/",))
    with pytest.raises(OSError, match="no mirror delivered train-images-idx3-ubyte.gz"):
        load_data("mnist", cache=tmp_path)
    assert names_in(tmp_path) == []


# ---------------------------------------------------------------- the cache


def test_a_tilde_is_the_home_folder(tmp_path, mirror, files, monkeypatch):
    mirror()
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.chdir(tmp_path)
    fill(tmp_path / "mnist", files)
    assert len(load_data("mnist", cache="~/mnist").y_test) == 9
    monkeypatch.setenv("LESSON13_DATA", "~/mnist")
    assert len(load_data("mnist").y_test) == 9
    assert names_in(tmp_path) == ["mnist"]


def test_the_argument_comes_before_the_environment(tmp_path, mirror, files, monkeypatch):
    mirror()
    full, bare = fill(tmp_path / "full", files), tmp_path / "bare"
    monkeypatch.setenv("LESSON13_DATA", str(full))
    assert len(load_data("mnist").y_test) == 9
    with pytest.raises(OSError, match=re.escape(str(bare))):
        load_data("mnist", cache=bare)
    monkeypatch.setenv("LESSON13_DATA", str(bare))
    assert len(load_data("mnist", cache=full).y_test) == 9


def test_the_users_cache_folder_comes_last(tmp_path, mirror, files, monkeypatch):
    import pooch

    mirror()
    monkeypatch.setattr(pooch, "os_cache", lambda project: tmp_path / project)
    fill(tmp_path / "lesson13", files)
    assert len(load_data("mnist").y_test) == 9


def test_plain_files_and_files_zipped_again_are_accepted(tmp_path, mirror, files):
    mirror()
    folder = tmp_path / "cache"
    folder.mkdir()
    for k, (name, content) in enumerate(files.items()):
        raw = gzip.decompress(content)
        write(folder / (name if k % 2 else f"{name}.gz"), raw if k % 2 else gzip.compress(raw, 9))
    assert len(load_data("mnist", cache=folder).y_test) == 9


@pytest.mark.parametrize(
    "content", [b"", TINY, gzip.compress(TINY, mtime=0), b"<html>", gzip.compress(TINY, mtime=0)[:20]]
)
def test_a_wrong_file_in_the_cache_is_named_and_left_alone(tmp_path, mirror, files, content):
    mirror("good")
    folder = fill(tmp_path / "cache", files)
    path = write(folder / "t10k-labels-idx1-ubyte.gz", content)
    with pytest.raises(ValueError, match=re.escape(str(path))):
        load_data("mnist", cache=folder)
    assert path.read_bytes() == content and mirror.requests == [] and len(names_in(folder)) == 4


def test_a_single_changed_pixel_is_noticed(tmp_path, mirror, files):
    mirror()
    folder = fill(tmp_path / "cache", files)
    raw = bytearray(gzip.decompress(files["train-images-idx3-ubyte"]))
    raw[-1] ^= 1
    write(folder / "train-images-idx3-ubyte.gz", gzip.compress(raw, 1))
    with pytest.raises(ValueError, match="wrong checksum"):
        load_data("mnist", cache=folder)


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
    found = load_data("mnist", cache=mnist_folder)
    assert found.x_train.shape == (50_000, 784) and found.x_valid.shape == (10_000, 784)
    assert found.x_test.shape == (10_000, 784) and found.image_shape == (28, 28)
    assert found.y_train[:5].tolist() == [5, 0, 4, 1, 9] and found.y_test[:5].tolist() == [7, 2, 1, 0, 4]
    assert (found.x_train.min(), found.x_train.max()) == (0, 1)

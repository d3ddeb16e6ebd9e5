"""The command lesson13-train as a process: what it promises when all goes well, and when it does not."""

import os
import pickle
import random
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image, ImageOps

from lesson13.data import load_data
from lesson13.losses import CrossEntropyLoss
from lesson13.modules import Linear, ReLU, Sequential, Tanh
from lesson13.tools import command
from lesson13.tools.command import DEFAULTS, _ctrl_c, _say_stopped, load_checkpoint, main, save_checkpoint
from lesson13.training import (
    Diverged,
    History,
    accuracy,
    digit_classifier,
    shuffled,
    step,
    train,
)

ROOT = Path(__file__).resolve().parent.parent
COMMAND = [sys.executable, "-m", "lesson13.tools.command"]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
LONG = ["--epochs", "150", "--hidden", "20"]  # long enough to be interrupted: about a second


def start(*arguments, cwd) -> subprocess.Popen:
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([*COMMAND, *map(str, arguments)], cwd=cwd, env=ENVIRONMENT, **pipes)


def run(*arguments, cwd) -> tuple[int, str, str]:
    "Exit code, stdout and stderr of lesson13-train."
    with start(*arguments, cwd=cwd) as process:
        out, err = process.communicate(timeout=120)
    return process.returncode, out, err


def last_accuracy(out: str, name: str) -> float:
    "The number in the last line, which must read `NAME accuracy 0.dddd`."
    found = re.fullmatch(rf"{name} accuracy ([01]\.\d{{4}})", out.splitlines()[-1])
    assert found, out
    return float(found[1])


def weights(path: Path) -> list[torch.Tensor]:
    return torch.load(path, weights_only=True)["weights"]


def same_weights(one: Path, two: Path) -> bool:
    return all(torch.equal(p, q) for p, q in zip(weights(one), weights(two), strict=True))


def wait_for(path: Path, process: subprocess.Popen) -> None:
    deadline = time.monotonic() + 90
    while not path.exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, f"{path.name} did not appear"
        time.sleep(0.01)


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    "Threads on a busy machine wait for one another; the processes below have one each, too."
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory) -> Path:
    "The checkpoint of a long run that nobody interrupted."
    path = tmp_path_factory.mktemp("unbroken") / "run.pt"
    main([*LONG, "--save", str(path)])
    return path


def test_defaults_read_the_digits(tmp_path):
    code, out, err = run(cwd=tmp_path)
    assert code == 0
    assert last_accuracy(out, "valid") >= 0.97
    assert re.search(r"train accuracy 0\.99\d\d", out)
    assert "no test set" in out
    assert "epoch 60/60" in err and "loss" in err and "validation accuracy" in err
    assert not list(tmp_path.iterdir()), "nothing was asked to be kept"


def test_a_seed_fixes_every_bit_also_in_another_process_which_imports_no_matplotlib(tmp_path):
    arguments = ["--epochs", "2", "--seed", "3", "--save"]
    code = f"import sys; from lesson13.tools.command import main; main({[*arguments, 'a.pt']}); assert 'matplotlib' not in sys.modules"
    quiet = {"check": True, "capture_output": True, "timeout": 120}
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=ENVIRONMENT, **quiet)
    main([*arguments, str(tmp_path / "b.pt")])
    main([*arguments, str(tmp_path / "c.pt"), "--seed", "4"])
    assert same_weights(tmp_path / "a.pt", tmp_path / "b.pt")
    assert not same_weights(tmp_path / "a.pt", tmp_path / "c.pt")


def test_help_names_every_option(capsys):
    with pytest.raises(SystemExit) as leave:
        main(["--help"])
    assert leave.value.code == 0
    said = capsys.readouterr().out
    names = "source cache epochs batch-size lr decay hidden seed device save resume plot predict".split()
    assert all(f"--{name}" in said for name in names)


WRONG = {
    "unknown option": (["--bogus"], "--bogus"),
    "unknown source": (["--source", "letters"], "letters"),
    "no epochs": (["--epochs", "0"], "'0' is not a whole number"),
    "half an epoch": (["--epochs", "1.5"], "'1.5' is not a whole number"),
    "negative batch": (["--batch-size", "-64"], "'-64' is not a whole number"),
    "rate of zero": (["--lr", "0"], "'0' is not a number above 0"),
    "rate NaN": (["--lr", "nan"], "'nan' is not a number above 0"),
    "rate infinite": (["--lr", "inf"], "'inf' is not a number above 0"),
    "hidden in words": (["--hidden", "many"], "'many' is not a whole number"),
    "hidden beyond memory": (["--hidden", "1000000000"], "alloc|memory"),
    "negative seed": (["--seed", "-1"], "'-1' is not a whole number"),
    "no such device": (["--device", "abacus"], "--device abacus: not available; this machine has cpu"),
    "a device without data": (["--device", "meta"], "--device meta: not available"),
    "no folder": (["--save", "nowhere/a.pt"], "there is no folder"),
    "a folder": (["--save", "."], "choose another name"),
    "a device file": (["--save", os.devnull], "choose another name"),
    "plot of no kind": (["--plot", "curves.doc"], r"must end in \.png"),
    "two in one": (["--save", "a.png", "--plot", "a.png"], "choose two names"),
    "nothing to resume": (["--resume", "missing.pt"], "missing.pt"),
    "not a checkpoint": (["--resume", "text.pt"], "not a checkpoint"),
    "no network to read with": (["--predict", "a.png"], "--predict: which network.*--resume FILE"),
    "no data": (["--source", "mnist", "--cache", "text.pt"], "text.pt"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_arguments_get_one_line_and_code_2(name, tmp_path, monkeypatch, capsys):
    arguments, words = WRONG[name]
    monkeypatch.chdir(tmp_path)
    Path("text.pt").write_text("no checkpoint")
    with pytest.raises(SystemExit) as leave:
        main(arguments)
    out, err = capsys.readouterr()
    assert leave.value.code == 2
    assert err.startswith("lesson13-train: ") and re.search(words, err), err
    assert len(err.splitlines()) == 1 and not out
    assert [p.name for p in tmp_path.iterdir()] == ["text.pt"]


def test_wrong_arguments_in_a_real_process(tmp_path):
    code, out, err = run("--save", "nowhere/a.pt", cwd=tmp_path)
    assert (code, out, len(err.splitlines())) == (2, "", 1), err


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="this user may write everywhere")
def test_a_folder_without_permission(tmp_path, capsys):
    tmp_path.chmod(0o500)
    with pytest.raises(SystemExit) as leave:
        main(["--save", str(tmp_path / "a.pt")])
    assert leave.value.code == 2 and "cannot be written" in capsys.readouterr().err


def test_a_diverging_run_stops_with_advice(tmp_path, capsys):
    torch.set_num_threads(2)
    with pytest.raises(SystemExit) as leave:
        main(["--lr", "100", "--save", str(tmp_path / "a.pt")])
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    assert leave.value.code == 1 and threads == 2
    assert "divide it by ten" in capsys.readouterr().err.splitlines()[-1]
    assert not list(tmp_path.iterdir())


def test_a_run_that_diverges_in_its_last_batch_is_noticed_and_not_kept(tmp_path, capsys):
    with pytest.raises(SystemExit) as leave:
        main(["--epochs", "1", "--batch-size", "2000", "--lr", "1e30", "--save", str(tmp_path / "a.pt")])
    assert leave.value.code == 1 and "validation loss became" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
    with pytest.raises(Diverged) as error:
        train(digit_classifier(64, 50), load_data("digits"), 1, batch_size=2000, lr=1e30)
    assert error.value.history.epoch == 0 and len(error.value.history.batch_loss) == 1


def test_rows_of_nan_are_not_right():
    logits = torch.tensor([[torch.nan, torch.nan], [1.0, torch.nan], [1.0, 0.0], [torch.inf, 0.0]])
    assert accuracy(logits, torch.zeros(4, dtype=torch.int64)) == 0.5


def test_train_reaches_layers_in_layers_and_moves_shared_ones_once():
    data, flat = load_data("digits"), digit_classifier(64, 50)
    first, relu, last = digit_classifier(64, 50).layers
    for model in (Sequential(Sequential(first, relu), last), flat):
        train(model, data, epochs=1)
    assert torch.equal(first.w, flat.layers[0].w) and torch.equal(last.b, flat.layers[2].b)
    shared = Linear(64, 64, seed=0)
    model, before, x = Sequential(shared, ReLU(), shared), shared.w.clone(), data.x_train[:64]
    step(model, model.parameters(), CrossEntropyLoss(), x, data.y_train[:64], 0.1)
    torch.testing.assert_close(shared.w, before - 0.1 * shared.w.g)


def test_a_model_without_parameters_is_refused():
    with pytest.raises(ValueError, match="^train: 0 parameters"):
        train(Sequential(ReLU()), load_data("digits"), epochs=1)


def test_a_run_goes_on_with_its_own_batch_size():
    data, model = load_data("digits"), digit_classifier(64, 5)
    history = train(model, data, epochs=2, after_batch=lambda h: len(h.batch_loss) == 5)
    assert history.stopped
    with pytest.raises(ValueError, match="45 batches an epoch, and the history has 23"):
        train(model, data, epochs=2, batch_size=32, history=history)


def test_a_run_that_is_stopped_after_its_last_epoch_is_finished():
    data, model = load_data("digits"), digit_classifier(64, 5)
    assert train(model, data, epochs=2, after_epoch=lambda h: h.epoch == 1).stopped
    assert not train(model, data, epochs=2, after_epoch=lambda h: h.epoch == 2).stopped


def test_epochs_and_seeds_have_orders_of_their_own():
    orders = {tuple(shuffled(1437, seed, epoch).tolist()) for seed in range(3) for epoch in range(3)}
    assert len(orders) == 9


def test_nan_in_the_data_stops_the_run():
    data = load_data("digits")
    x = data.x_train.clone()
    x[700, 5] = torch.nan
    model = digit_classifier(64, 10)
    with pytest.raises(Diverged, match="nan"):
        train(model, replace(data, x_train=x), epochs=1)
    assert all(p.isfinite().all() for p in model.parameters()), "the update that would spoil them is not made"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT to send to one process")
def test_ctrl_c_keeps_the_weights_and_resume_ends_the_same(tmp_path, unbroken):
    kept = tmp_path / "run.pt"
    with start(*LONG, "--save", kept, cwd=tmp_path) as process:
        wait_for(kept, process)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert re.search(
        r"stopped after batch \d+ of 23 in epoch \d+ of 150; the weights are kept in .*run\.pt", out
    )
    assert "Traceback" not in err
    assert last_accuracy(out, "valid") > 0.1
    assert not same_weights(kept, unbroken)
    main(["--resume", str(kept)])
    assert same_weights(kept, unbroken)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT to send to one process")
def test_ctrl_c_without_save_keeps_the_weights_too(tmp_path):
    with start("--epochs", "1000000", cwd=tmp_path) as process:
        assert process.stderr.read(1), "the progress bar begins"
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=60)
    assert process.returncode == 130 and "lesson13-stopped.pt" in out
    assert [p.name for p in tmp_path.iterdir()] == ["lesson13-stopped.pt"]
    load_checkpoint(tmp_path / "lesson13-stopped.pt")


def test_the_second_ctrl_c_interrupts_and_the_handler_comes_back():
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), _ctrl_c() as notes:
        signal.raise_signal(signal.SIGINT)
        assert notes == [signal.SIGINT]
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


def test_an_interrupted_run_takes_a_free_name(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("lesson13-stopped.pt").mkdir()
    for name in ("lesson13-stopped-2.pt", "lesson13-stopped-3.pt"):
        settings = {**DEFAULTS, "epochs": 1}
        _say_stopped(None, settings, digit_classifier(64, 5), History(n_batches=1))
        assert f"--resume {name}" in capsys.readouterr().out
        load_checkpoint(name)


@pytest.mark.abuse
@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
@pytest.mark.parametrize("rounds", [2, pytest.param(30, marks=pytest.mark.slow)])
def test_killed_at_random_the_checkpoint_is_whole(tmp_path, unbroken, rounds):
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    rng, kept, resume = random.Random(seed), tmp_path / "run.pt", []
    for _ in range(rounds):
        with start(*LONG, "--save", kept, *resume, cwd=tmp_path) as process:
            before = kept.stat().st_mtime_ns if kept.exists() else None
            while process.poll() is None and (not kept.exists() or kept.stat().st_mtime_ns == before):
                time.sleep(0.002)
            time.sleep(rng.random() * 0.05)
            process.kill()
        load_checkpoint(kept)
        resume = ["--resume", kept]
    main(["--resume", str(kept)])
    assert same_weights(kept, unbroken)
    assert all(path == kept or path.suffix == ".part" for path in tmp_path.iterdir())


@pytest.mark.abuse
def test_a_write_that_fails_leaves_the_old_file(tmp_path, monkeypatch):
    path, model = tmp_path / "a.pt", digit_classifier(4, 3)
    save_checkpoint(path, model, History(), {})
    before = path.read_bytes()

    def disk_full(kept, part):
        Path(part).write_bytes(b"half")
        raise OSError("No space left on device")

    monkeypatch.setattr(torch, "save", disk_full)
    with pytest.raises(OSError, match="No space"):
        save_checkpoint(path, model, History(), {})
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


def test_resume_refuses_other_settings(unbroken, capsys):
    for option, value in (("--hidden", "50"), ("--lr", "0.1"), ("--seed", "9"), ("--source", "mnist")):
        with pytest.raises(SystemExit) as leave:
            main(["--resume", str(unbroken), option, value])
        err = capsys.readouterr().err
        assert leave.value.code == 2 and f"leave {option} out" in err and len(err.splitlines()) == 1
    with pytest.raises(SystemExit):
        main(["--resume", str(unbroken), "--no-decay"])


def test_resume_of_a_finished_run_only_reports_and_says_so(unbroken, capsys):
    before = unbroken.stat().st_mtime_ns
    main(["--resume", str(unbroken)])
    out = capsys.readouterr().out
    assert out.startswith(f"nothing to train: {unbroken} has made its 150 epochs")
    assert last_accuracy(out, "valid") > 0.9 and unbroken.stat().st_mtime_ns == before


def test_a_sinking_rate_has_an_end_and_a_constant_one_goes_on(tmp_path, capsys):
    path = tmp_path / "a.pt"
    main(["--epochs", "1", "--save", str(path)])
    with pytest.raises(SystemExit):
        main(["--resume", str(path), "--epochs", "3"])
    assert re.search("sinks to 0 by epoch 1; train anew with --epochs 3", capsys.readouterr().err)
    main(["--epochs", "1", "--no-decay", "--save", str(path)])
    main(["--resume", str(path), "--epochs", "3"])
    assert f"going on after 1 of 3 epochs; kept in {path}" in capsys.readouterr().out
    main(["--epochs", "3", "--no-decay", "--save", str(tmp_path / "b.pt")])
    assert load_checkpoint(path)[1].epoch == 3 and same_weights(path, tmp_path / "b.pt")


def test_a_rate_is_reported_as_it_was_given(capsys):
    with pytest.raises(SystemExit):
        main(["--lr", "50"])
    assert "at a learning rate of 50;" in capsys.readouterr().err


def test_a_tilde_is_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    main(["--epochs", "1", "--save", "~/a.pt", "--plot", "~/a.png"])
    assert (tmp_path / "a.pt").exists() and (tmp_path / "a.png").exists()


def test_a_stopped_run_finds_another_place_where_nothing_can_be_written(tmp_path, monkeypatch, capsys):
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setattr(Path, "home", lambda: home)
    monkeypatch.chdir(tmp_path)
    settings = {**DEFAULTS, "epochs": 1}
    missing = tmp_path / "gone" / "run.pt"  # its folder was deleted while the run trained
    monkeypatch.setattr(
        command,
        "save_checkpoint",
        lambda path, *a: save_checkpoint(path, *a) if home in path.parents else fail(),
    )

    def fail():
        raise OSError("No space left on device")

    _say_stopped(str(missing), settings, digit_classifier(64, 5), History(n_batches=1))
    out, err = capsys.readouterr()
    assert f"kept in {home / 'lesson13-stopped.pt'}" in out and "No space left" in err
    load_checkpoint(home / "lesson13-stopped.pt")


@pytest.mark.parametrize("dark_on_light", [True, False])
def test_a_saved_network_reads_pictures(tmp_path, unbroken, capsys, dark_on_light):
    data, right = load_data("digits"), 0
    names = [str(tmp_path / f"{i}.png") for i in range(20)]
    for i, name in enumerate(names):
        pixels = (255 * data.x_valid[i].view(8, 8)).byte().numpy()
        page = Image.new("L", (300, 200), 0)
        page.paste(Image.fromarray(pixels).resize((96, 96), Image.Resampling.NEAREST), (150, 40))
        (ImageOps.invert(page) if dark_on_light else page).convert("RGB").save(name)
    main(["--resume", str(unbroken), "--predict", *names])
    lines = capsys.readouterr().out.splitlines()
    for i, line in enumerate(lines):
        right += line.startswith(f"{names[i]}: {data.y_valid[i]} (probability ")
    assert len(lines) == 20 and right >= 17, lines
    Image.new("L", (30, 30), 255).save(names[0])
    with pytest.raises(SystemExit):
        main(["--resume", str(unbroken), "--predict", names[0]])
    assert "there is no digit to be seen" in capsys.readouterr().err


def test_errors_name_options(monkeypatch, capsys):
    def fails(*_, **__):
        raise OSError("no mirror delivered; give the folder as cache=PATH")

    monkeypatch.setattr(command, "load_data", fails)
    with pytest.raises(SystemExit):
        main(["--source", "mnist"])
    assert capsys.readouterr().err == "lesson13-train: no mirror delivered; give the folder as --cache PATH\n"


def test_without_stderr_it_trains_all_the_same(tmp_path):
    quiet = "import sys; sys.stderr = None; from lesson13.tools.command import main; main(['--epochs', '1'])"
    done = subprocess.run(
        [sys.executable, "-c", quiet], env=ENVIRONMENT, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0 and "valid accuracy" in done.stdout


def test_resume_refuses_a_network_for_other_pictures(tmp_path, capsys):
    save_checkpoint(tmp_path / "a.pt", digit_classifier(49, 5), History(), DEFAULTS)
    with pytest.raises(SystemExit) as leave:
        main(["--resume", str(tmp_path / "a.pt")])
    assert leave.value.code == 2 and "its network does not fit the digits" in capsys.readouterr().err


@pytest.mark.parametrize(
    "other", [{"made_by": "somebody else"}, {"settings": {}}, {"settings": {**DEFAULTS, "source": "letters"}}]
)
def test_resume_refuses_a_file_that_is_none_of_ours(tmp_path, capsys, other):
    save_checkpoint(tmp_path / "a.pt", digit_classifier(64, 5), History(), DEFAULTS)
    torch.save(torch.load(tmp_path / "a.pt", weights_only=True) | other, tmp_path / "b.pt")
    with pytest.raises(SystemExit) as leave:
        main(["--resume", str(tmp_path / "b.pt")])
    assert leave.value.code == 2 and "b.pt: not a checkpoint" in capsys.readouterr().err


@pytest.mark.parametrize(
    "layers", [[Linear, Tanh, Linear], [Linear, ReLU, Linear, ReLU, Linear], [Linear]], ids=len
)
def test_only_what_loads_again_is_saved(tmp_path, layers):
    model = Sequential(*[layer(4, 4) if layer is Linear else layer() for layer in layers])
    with pytest.raises(ValueError, match="^save_checkpoint: the model is Sequential.*give a Sequential of"):
        save_checkpoint(tmp_path / "a.pt", model, History(), DEFAULTS)
    assert not list(tmp_path.iterdir())


def test_a_layer_that_stands_there_twice_is_not_saved(tmp_path):
    shared = Linear(4, 4)
    with pytest.raises(ValueError, match="^save_checkpoint: .*and another Linear"):
        save_checkpoint(tmp_path / "a.pt", Sequential(shared, ReLU(), shared), History(), DEFAULTS)
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has other permissions")
def test_a_checkpoint_keeps_its_permissions(tmp_path):
    path = tmp_path / "a.pt"
    save_checkpoint(path, digit_classifier(4, 3), History(), DEFAULTS)
    path.chmod(0o600)
    save_checkpoint(path, digit_classifier(4, 3), History(), DEFAULTS)
    assert path.stat().st_mode & 0o777 == 0o600


def test_advice_where_nothing_was_learned_and_only_there(capsys):
    for lr, advised in (("0.5", False), ("1e-9", True)):
        main(["--epochs", "1", "--lr", lr])
        assert ("the loss is that of guessing" in capsys.readouterr().out) == advised


class Harmful:
    def __reduce__(self):
        return (os.mkdir, ("harm",))


@pytest.mark.abuse
def test_a_checkpoint_cannot_run_code(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"made_by": "lesson13-train", "weights": Harmful()}, "zip.pt")
    Path("raw.pt").write_bytes(pickle.dumps(Harmful(), protocol=2))
    for name in ("zip.pt", "raw.pt"):
        with pytest.raises(ValueError, match="not a checkpoint"):
            load_checkpoint(name)
    assert not Path("harm").exists()


@pytest.mark.abuse
@pytest.mark.filterwarnings("ignore:Detected pickle protocol")  # a damaged number
def test_damaged_checkpoints_are_refused_or_loaded_never_worse(tmp_path, unbroken):
    good, damaged = unbroken.read_bytes(), tmp_path / "damaged.pt"
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    for _ in range(60):
        data = bytearray(good)
        if rng.random() < 0.3:
            del data[rng.randrange(len(data)) :]
        for _ in range(rng.randint(1, 5)):
            if data:
                data[rng.randrange(len(data))] = rng.randrange(256)
        damaged.write_bytes(data)
        try:
            load_checkpoint(damaged)
        except ValueError as error:
            assert "damaged.pt: not a checkpoint" in str(error), f"seed {seed}"


def test_plot(tmp_path):
    for name, begins in (("curves.png", b"\x89PNG"), ("curves.svg", b"<?xml")):
        main(["--epochs", "2", "--plot", str(tmp_path / name)])
        assert (tmp_path / name).read_bytes().startswith(begins)


# MNIST is too large to lie in the repository: the tests look where LESSON13_DATA says, then beside the checkout.
MNIST = Path(os.environ.get("LESSON13_DATA") or ROOT.parent / "shared" / "data" / "mnist")
needs_mnist = pytest.mark.skipif(
    not list(MNIST.glob("t10k-images-idx3-ubyte*")),
    reason="needs the four MNIST files; LESSON13_DATA=/path/to/their/folder names them",
)


@needs_mnist
def test_mnist_one_epoch(tmp_path):
    code, out, err = run("--source", "mnist", "--cache", MNIST, "--epochs", "1", cwd=tmp_path)
    assert code == 0, err
    assert last_accuracy(out, "test") >= 0.94
    assert "valid accuracy" in out and "train accuracy" in out


@needs_mnist
@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "at_least"),
    [(["--epochs", "5"], 0.965), (["--epochs", "10", "--hidden", "100"], 0.977)],
    ids=["defaults", "hidden 100"],
)
@pytest.mark.parametrize("seed", ["0", "1", "2"])
def test_mnist_in_full(tmp_path, arguments, at_least, seed):
    code, out, err = run("--source", "mnist", "--cache", MNIST, "--seed", seed, *arguments, cwd=tmp_path)
    assert code == 0, err
    assert last_accuracy(out, "test") >= at_least

"""Several processes: the right weights for any number of workers, and an error, never a hang, when one fails.

What a worker that is gone does to the others is in the notebook too.
"""

import multiprocessing
import os
import time
import weakref
from dataclasses import replace

import pytest
import torch

from lesson13.data import load_data
from lesson13.data_parallel import (
    average_gradients,
    join_group,
    launch,
    main,
    train_by_hand,
    train_steps,
    train_with_ddp,
)
from lesson13.training import History, digit_classifier


def raise_halfway(rank, n_workers):
    if rank == 1:
        raise ValueError("row 7 is not a number")
    torch.distributed.all_reduce(torch.zeros(1))


def die_halfway(rank, n_workers):
    if rank == 1:
        os._exit(3)
    torch.distributed.all_reduce(torch.zeros(1))


def give_a_history(rank, n_workers):
    return History()


def give_the_sum(rank, n_workers):
    total = torch.tensor(rank + 1.0)
    torch.distributed.all_reduce(total)
    return total.item()


def sleep_for_ever(rank, n_workers):
    if rank == 1:
        time.sleep(3600)


def test_three_workers_with_uneven_shares_find_the_single_process_weights():
    data = load_data("digits")
    alone = digit_classifier(64, 50, seed=0)
    train_steps(alone, data)
    results = launch(train_by_hand, data, n_workers=3)
    for worker, _ in results:
        for p, q, first in zip(alone.parameters(), worker, results[0][0], strict=True):
            torch.testing.assert_close(p, q, rtol=0, atol=1e-6)
            assert torch.equal(q, first)


@pytest.mark.parametrize(
    "job, timeout, reason",
    [
        (raise_halfway, 60, "row 7 is not a number"),
        (sleep_for_ever, 10, "not finished after 10 s"),
    ],
)
def test_a_worker_that_fails_ends_the_run(job, timeout, reason):
    with pytest.raises(RuntimeError, match=reason):
        launch(job, timeout=timeout)
    assert multiprocessing.active_children() == []


def test_what_cannot_travel_back_is_refused_with_advice():
    with pytest.raises(TypeError, match="launch: what give_a_history returned cannot travel; return tensors"):
        launch(give_a_history, n_workers=1)


def test_gradients_that_would_broadcast_are_refused():
    with pytest.raises(ValueError, match=r"average_gradients: .*\(2, 3\)"):
        average_gradients([[torch.ones(2, 3)], [torch.ones(3)]], [3, 4])
    for sizes in ([3], [3, 4, 5]):
        with pytest.raises(ValueError):
            average_gradients([[torch.ones(3)], [torch.ones(3)]], sizes)


def test_a_folder_with_an_odd_name_is_a_meeting_point(tmp_path, monkeypatch):
    odd = tmp_path / "é # 50% [x] y"
    odd.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(odd))
    assert launch(give_the_sum, timeout=60) == [3.0, 3.0]
    assert not list(odd.iterdir())


def test_a_worker_that_vanishes_ends_the_run_long_before_the_limit():
    start = time.monotonic()
    with pytest.raises(RuntimeError, match="terminated with exit code 3"):
        launch(die_halfway, timeout=600)
    assert time.monotonic() - start < 120  # nearly all of it is the start of two Pythons on a busy machine


def test_every_worker_needs_a_row():
    data = load_data("digits")
    few = replace(data, x_train=data.x_train[:5], y_train=data.y_train[:5])
    for rank in range(2):  # all refuse, so that nobody waits for another
        with pytest.raises(ValueError, match="train_steps: the last batch has 1 rows for 2 workers"):
            train_steps(digit_classifier(64, 5), few, rank, n_workers=2, batch_size=4)


def test_without_torchrun_the_program_says_so(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["data_parallel", "--save", "ddp.pt"])
    with pytest.raises(SystemExit) as leave:
        main()
    assert leave.value.code == 2 and "torchrun -m lesson13.data_parallel" in capsys.readouterr().err


def test_a_finished_group_is_gone(tmp_path):
    "A group whose threads outlive `destroy_process_group` can crash the process while Python shuts down."
    threads = torch.get_num_threads()
    join_group(0, 1, tmp_path / "meeting_point", timeout=60)
    group = weakref.ref(torch.distributed.group.WORLD)
    train_with_ddp(0, 1)
    torch.distributed.destroy_process_group()
    torch.set_num_threads(threads)
    assert group() is None, "somebody holds the group"

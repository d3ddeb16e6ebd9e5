"""Several processes: the right weights for any number of workers, and an error, never a hang, when one fails.

What a worker that is killed does to the others is in the notebook.
"""

import multiprocessing
import subprocess
import sys
import time

import pytest
import torch

from lesson13.data import load_data
from lesson13.data_parallel import launch, train_by_hand, train_steps
from lesson13.training import digit_classifier, parameters_of


def raise_halfway(rank, n_workers):
    if rank == 1:
        raise ValueError("row 7 is not a number")
    torch.distributed.all_reduce(torch.zeros(1))


def sleep_for_ever(rank, n_workers):
    if rank == 1:
        time.sleep(3600)


def test_three_workers_with_uneven_shares_find_the_single_process_weights():
    data = load_data("digits")
    alone = digit_classifier(64, 50, seed=0)
    train_steps(alone, data)
    results = launch(train_by_hand, data, n_workers=3)
    for worker in results:
        for p, q, first in zip(parameters_of(alone), worker, results[0], strict=True):
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


def test_a_finished_group_is_gone(tmp_path):
    "A group whose threads outlive `destroy_process_group` can crash the process while Python shuts down."
    program = f"""
import weakref
import torch.distributed as dist
from lesson13.data_parallel import join_group, train_with_ddp
join_group(0, 1, {str(tmp_path / "meeting_point")!r}, 60)
group = weakref.ref(dist.group.WORLD)
train_with_ddp(0, 1)
dist.destroy_process_group()
assert group() is None, "somebody holds the group"
"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr

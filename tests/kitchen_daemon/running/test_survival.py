"""Processes killed with real signals, sockets deleted, disks filled: nothing that was saved is lost."""

import os
import select
import shutil
import signal
import sqlite3
import subprocess
from contextlib import suppress

import pytest

from kitchen_daemon.client import Refused
from tests.kitchen_daemon.support import (
    COMMAND,
    final_sha256,
    happened,
    is_at_rest,
    reached_step,
    running_daemon,
)


def test_a_run_outlives_its_daemon_and_a_follower_misses_nothing(own_daemon, undisturbed):
    run = own_daemon.launch()
    seen = own_daemon.until(run.id, reached_step(20))
    own_daemon.kill()
    own_daemon.start()
    seen += own_daemon.until(run.id, is_at_rest, cursor=seen[-1].cursor)
    done = own_daemon.client.run(run.id)
    assert (done.status, done.attempt, final_sha256(done)) == ("completed", 1, undisturbed[1])
    seqs = [item.event.seq for item in seen if item.event]
    assert seqs == list(range(1, len(own_daemon.client.events(run.id)) + 1))
    steps = [p.step for i in seen for p in i.metrics or [] if p.name == "train_mean_nll"]
    assert steps == list(range(60))


def test_a_run_that_ends_while_no_daemon_lives_is_found_ended(own_daemon, undisturbed):
    run = own_daemon.launch()
    own_daemon.until(run.id, reached_step(40))
    pid = own_daemon.worker_of(run.id)
    own_daemon.kill()
    pidfd = os.pidfd_open(pid)
    try:
        assert select.select([pidfd], [], [], 60)[0], "the worker did not end"
    finally:
        os.close(pidfd)
    own_daemon.start()
    done = own_daemon.client.run(run.id)
    assert (done.status, final_sha256(done)) == ("completed", undisturbed[1])
    assert own_daemon.worker_pids() == []


def test_a_killed_worker_leaves_an_interrupted_run_that_resumes_to_the_same_bytes(
    daemon, undisturbed
):
    run = daemon.launch()
    daemon.until(run.id, reached_step(35))
    os.kill(daemon.worker_of(run.id), signal.SIGKILL)
    interrupted = daemon.settled(run.id)
    assert interrupted.status == "interrupted"
    assert "SIGKILL" in interrupted.reason
    cursor = daemon.until(run.id, happened("run.interrupted"))[-1].cursor
    daemon.client.resume(run.id)
    daemon.until(run.id, is_at_rest, cursor=cursor)
    done = daemon.client.run(run.id)
    assert (done.status, done.attempt, final_sha256(done)) == ("completed", 2, undisturbed[1])
    resumed = next(e for e in daemon.client.events(run.id) if e.kind == "run.resumed")
    assert 30 <= resumed.step <= 40
    name = ["train_mean_nll"]
    assert daemon.client.metrics(run.id, name) == daemon.client.metrics(undisturbed[0].id, name)


def test_a_worker_killed_before_its_first_checkpoint_starts_over(daemon, undisturbed):
    run = daemon.launch()
    daemon.until(run.id, reached_step(2))
    os.kill(daemon.worker_of(run.id), signal.SIGKILL)
    cursor = daemon.until(run.id, happened("run.interrupted"))[-1].cursor
    daemon.client.resume(run.id)
    daemon.until(run.id, is_at_rest, cursor=cursor)
    assert final_sha256(daemon.client.run(run.id)) == undisturbed[1]


def test_a_stopped_worker_that_was_replaced_can_write_nothing(daemon, undisturbed):
    run = daemon.launch()
    daemon.until(run.id, reached_step(25))
    stopped = daemon.stop_worker(run.id)
    with pytest.raises(ValueError, match="replace it"):
        daemon.client.resume(run.id)
    daemon.client.resume(run.id, replace=True)
    replaced = daemon.until(run.id, happened("run.interrupted"))[-1]
    with suppress(ProcessLookupError):  # the daemon has woken it too, so it may have ended
        os.kill(stopped, signal.SIGCONT)
    daemon.until(run.id, is_at_rest, cursor=replaced.cursor)
    done = daemon.client.run(run.id)
    assert (done.status, done.attempt, final_sha256(done)) == ("completed", 2, undisturbed[1])
    after = [e for e in daemon.client.events(run.id) if e.id > replaced.event.id]
    assert {event.attempt for event in after if event.attempt} == {2}


def test_a_second_daemon_on_the_same_home_says_so_and_ends(daemon):
    second = subprocess.run(
        [*COMMAND, "--home", daemon.home.root],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert second.returncode == 1
    assert "another daemon serves" in second.stderr
    assert len(second.stderr.strip().splitlines()) == 1


def test_two_homes_have_two_daemons(daemon, own_daemon):
    assert daemon.client.status().pid != own_daemon.client.status().pid
    assert own_daemon.client.runs() == []


def test_a_socket_that_vanished_comes_back(own_daemon):
    socket = own_daemon.home.socket
    before = socket.stat().st_ino
    socket.unlink()
    own_daemon.until_answers()
    assert socket.stat().st_ino != before
    assert socket.stat().st_mode & 0o777 == 0o600
    assert socket.parent.stat().st_mode & 0o777 == 0o700


def test_the_whole_runtime_folder_deleted_comes_back_with_one_daemon(own_daemon):
    shutil.rmtree(own_daemon.home.runtime)
    own_daemon.until_answers()
    second = subprocess.run(
        [*COMMAND, "--home", own_daemon.home.root],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "another daemon serves" in second.stderr


def test_a_daemon_whose_home_was_deleted_ends(own_daemon):
    shutil.rmtree(own_daemon.home.root)
    assert own_daemon.process.wait(30) is not None


def test_a_locked_store_delays_the_end_of_a_run_and_does_not_lose_it(daemon):
    run = daemon.launch(max_steps=200)
    daemon.until(run.id, reached_step(3))
    pid = daemon.worker_of(run.id)
    locking = sqlite3.connect(daemon.home.database, isolation_level=None)
    locking.execute("BEGIN IMMEDIATE")
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(Refused, match="locked"):
        daemon.client.cancel(run.id)
    locking.execute("ROLLBACK")
    locking.close()
    assert daemon.settled(run.id).status == "interrupted"


def test_the_home_is_its_owners_alone(daemon):
    assert daemon.home.root.stat().st_mode & 0o777 == 0o700


def test_a_home_with_a_very_long_path_has_a_short_socket(tmp_path):
    deep = tmp_path / ("x" * 120)
    with running_daemon(deep) as daemon:
        assert len(str(daemon.home.socket)) <= 107
        assert daemon.client.status().home == str(deep)


@pytest.fixture
def small_disk(tmp_path):
    """A filesystem of 32 MB, where this machine lets us mount one."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=32m", "tmpfs", place], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("mounting a small filesystem needs root")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


def fill_the_disk_with(path):
    file = os.open(path, os.O_CREAT | os.O_WRONLY)
    with suppress(OSError):
        while True:
            os.write(file, b"x" * 4096)
    os.close(file)


def test_a_full_disk_fails_the_run_clearly_and_tears_nothing(small_disk, undisturbed):
    with running_daemon(small_disk / "kitchen") as daemon:
        run = daemon.launch()
        daemon.until(run.id, reached_step(12))
        filler = small_disk / "filler"
        fill_the_disk_with(filler)
        failed = daemon.settled(run.id)
        assert failed.status == "failed"
        assert "full" in failed.error.message
        filler.unlink()
        cursor = daemon.until(run.id, happened("run.failed"))[-1].cursor
        daemon.client.resume(run.id)
        daemon.until(run.id, is_at_rest, cursor=cursor)
        done = daemon.client.run(run.id)
        assert (done.status, final_sha256(done)) == ("completed", undisturbed[1])

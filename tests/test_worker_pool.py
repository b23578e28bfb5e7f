"""Worker processes, with tasks that do what hostile files might."""

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sigseek.indexer.decoding import worker_pool
from sigseek.indexer.decoding.limits import Limits
from sigseek.indexer.decoding.worker_pool import WorkerPool
from sigseek.indexer.errors import DecodeError, DecoderError, SlowError, UndecidedError
from tests import tasks

LIMITS = Limits(memory=300_000_000, processor=20, wall=100)


@pytest.fixture
def workers() -> Iterator[WorkerPool]:
    with WorkerPool() as workers:
        yield workers


def test_tasks_run_elsewhere_in_one_process_after_another(workers: WorkerPool) -> None:
    first = workers.call(LIMITS, tasks.pid)
    assert first != os.getpid()
    assert workers.call(LIMITS, tasks.pid) == first


def test_tasks_of_several_threads_run_side_by_side(workers: WorkerPool) -> None:
    with ThreadPoolExecutor(3) as pool:
        pids = list(pool.map(lambda seconds: workers.call(LIMITS, tasks.wait, seconds), [0.5] * 6))
    assert len(set(pids)) == 3


@pytest.mark.parametrize(
    "error", [ValueError("a"), KeyError("b"), OSError(5, "Input/output error"), DecodeError("c")]
)
def test_exceptions_come_back_as_they_are(workers: WorkerPool, error: Exception) -> None:
    before = workers.call(LIMITS, tasks.pid)
    with pytest.raises(type(error)) as caught:
        workers.call(LIMITS, tasks.throw, error)
    assert caught.value.args == error.args
    assert workers.call(LIMITS, tasks.pid) == before


def test_exceptions_and_results_that_cannot_be_pickled(workers: WorkerPool) -> None:
    with pytest.raises(RuntimeError, match="OddError: 1 and 2"):
        workers.call(LIMITS, tasks.throw_odd)
    with pytest.raises((AttributeError, RuntimeError), match="lambda"):
        workers.call(LIMITS, tasks.lambda_result)
    workers.call(LIMITS, tasks.pid)


@pytest.mark.parametrize("name", ["SIGSEGV", "SIGABRT", "SIGBUS", "SIGFPE", "SIGILL"])
def test_a_crash_is_the_files_failure(workers: WorkerPool, name: str) -> None:
    with pytest.raises(
        DecodeError, match=rf"^decoding ended the worker process \({name}\)$"
    ) as caught:
        workers.call(LIMITS, tasks.end_by, name)
    assert not isinstance(caught.value, UndecidedError)
    assert workers.call(LIMITS, tasks.pid)


def test_an_exit_is_the_files_failure(workers: WorkerPool) -> None:
    with pytest.raises(DecodeError, match=r"\(exit code 3\)"):
        workers.call(LIMITS, tasks.end_with, 3)


@pytest.mark.parametrize("name", ["SIGKILL", "SIGTERM"])
def test_a_process_that_somebody_ended_says_nothing_of_the_file(
    workers: WorkerPool, name: str
) -> None:
    with pytest.raises(UndecidedError, match=rf"\({name}\)"):
        workers.call(LIMITS, tasks.end_by, name)


def test_a_crash_harms_no_task_beside_it(workers: WorkerPool) -> None:
    with ThreadPoolExecutor(2) as pool:
        beside = pool.submit(workers.call, LIMITS, tasks.wait, 1.0)
        for _ in range(3):
            with pytest.raises(DecodeError):
                workers.call(LIMITS, tasks.end_by, "SIGSEGV")
        assert beside.result() != os.getpid()


def test_what_an_earlier_task_damaged_is_not_the_files_fault(workers: WorkerPool) -> None:
    first = workers.call(LIMITS, tasks.end_unless_first)
    assert workers.call(LIMITS, tasks.end_unless_first) != first


def test_memory_is_limited(workers: WorkerPool) -> None:
    assert workers.call(LIMITS, tasks.allocate, 200_000_000) == 200_000_000
    with pytest.raises(DecodeError, match=r"^decoding takes more than 300 MB of memory$"):
        workers.call(LIMITS, tasks.allocate, 400_000_000)
    generous = Limits(memory=600_000_000, processor=20, wall=100)
    assert workers.call(generous, tasks.allocate, 400_000_000) == 400_000_000
    with pytest.raises(DecodeError, match="300 MB"):
        workers.call(LIMITS, tasks.allocate, 400_000_000)


def test_memory_that_an_earlier_task_kept_is_not_the_files_fault(workers: WorkerPool) -> None:
    first = workers.call(LIMITS, tasks.hoard, 200_000_000)
    assert workers.call(LIMITS, tasks.hoard, 200_000_000) != first


def test_processor_time_is_limited(workers: WorkerPool) -> None:
    with pytest.raises(
        DecodeError, match=r"^decoding takes more than 1 s of processor time$"
    ) as caught:
        workers.call(Limits(300_000_000, 1, 100), tasks.compute)
    assert not isinstance(caught.value, UndecidedError)


def test_processor_time_is_each_tasks_own(workers: WorkerPool) -> None:
    before = workers.call(LIMITS, tasks.pid)
    for _ in range(30):
        workers.call(Limits(300_000_000, 1, 100), tasks.allocate, 100_000_000)
    assert workers.call(LIMITS, tasks.pid) == before


def test_waiting_is_limited_and_says_nothing_of_the_file(workers: WorkerPool) -> None:
    with pytest.raises(
        SlowError, match=r"^decoding took longer than 0\.5 s; the disk or the network may be slow$"
    ):
        workers.call(Limits(300_000_000, 20, 0.5), tasks.wait, 600)


def test_a_process_that_cannot_be_ended_is_left_behind(
    workers: WorkerPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subprocess.Popen, "kill", lambda process: None)
    monkeypatch.setattr(worker_pool, "_DYING", 0.1)
    with pytest.raises(SlowError, match=r"^decoding took longer than 0\.5 s"):
        workers.call(Limits(300_000_000, 20, 0.5), tasks.wait, 8)
    monkeypatch.undo()
    assert workers.call(LIMITS, tasks.wait, 0.0) != os.getpid()


def test_a_process_that_was_halted_is_ended(workers: WorkerPool) -> None:
    with pytest.raises(SlowError, match=r"^decoding took longer than 2 s"):
        workers.call(Limits(300_000_000, 20, 2), tasks.end_by, "SIGSTOP")


def test_what_decoders_print_goes_nowhere(
    workers: WorkerPool, capfd: pytest.CaptureFixture[str]
) -> None:
    assert workers.call(LIMITS, tasks.make_noise) == "heard nothing"
    assert workers.call(LIMITS, tasks.read_input) == ""
    assert workers.call(LIMITS, tasks.pid)
    assert capfd.readouterr() == ("", "")


def test_ctrl_c_is_for_the_process_that_the_user_started(workers: WorkerPool) -> None:
    before = workers.call(LIMITS, tasks.pid)
    assert workers.call(LIMITS, tasks.end_by, "SIGINT") == before


def test_closing_ends_those_at_work() -> None:
    workers = WorkerPool()
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(workers.call, LIMITS, tasks.wait, 600)
        while not workers._running:
            pass
        workers.close()
        with pytest.raises(UndecidedError):
            running.result()
    with pytest.raises(UndecidedError, match="stopped"):
        workers.call(LIMITS, tasks.pid)


def test_no_process_is_started_once_it_is_closed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    workers = WorkerPool()
    workers.close()
    started = tmp_path / "started"
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\ntouch {started}\n")
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    with pytest.raises(UndecidedError, match=r"^the run was stopped$"):
        workers.call(LIMITS, tasks.pid)
    assert not started.exists()


def test_no_process_comes_up(
    workers: WorkerPool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\nexit 7\n")
    broken.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "none"))
    with pytest.raises(DecoderError, match=r" cannot be started \(No such file or directory\); "):
        workers.call(LIMITS, tasks.pid)
    monkeypatch.setattr(sys, "executable", str(broken))
    with pytest.raises(UndecidedError, match=r"^no decoding process .* \(exit code 7\)"):
        workers.call(LIMITS, tasks.pid)


@pytest.mark.parametrize("at_work", ["", "tasks.wait, 1000", "tasks.compute"])
def test_workers_end_with_their_parent_however_it_ends(tmp_path: Path, at_work: str) -> None:
    held = tmp_path / "held"
    os.mkfifo(held)
    code = f"""
        import pathlib, threading, time
        from sigseek.indexer.decoding.limits import Limits
        from sigseek.indexer.decoding.worker_pool import WorkerPool
        from tests import tasks
        workers = WorkerPool()
        limits = Limits(10**9, 1000, 1000)
        workers.call(limits, tasks.hold, pathlib.Path({str(held)!r}))
        if {bool(at_work)}:
            task = (limits, {at_work or None})
            threading.Thread(target=workers.call, args=task, daemon=True).start()
            time.sleep(0.2)
        print("held", flush=True)
        input()
    """
    parent = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with parent, held.open() as file:
        assert parent.stdout
        assert parent.stdout.readline() == b"held\n"
        parent.send_signal(signal.SIGKILL)
        assert file.read() == "", "the end comes when the worker, too, is gone"

"""The connection to Ray. This is the only module that imports it.

Ray is told not to report its use to its makers. A Ray that is started here listens on the loopback
address alone, asks whoever connects for a token, and has no dashboard.
"""

from __future__ import annotations

import logging
import os
import secrets
import shutil
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from types import TracebackType
from typing import Any, Self

from sigseek.errors import ErrorKind, Option, Remedy
from sigseek.results import counted
from sigseek.storage import LibraryError

LOCAL = "local"
"""The address that stands for a Ray which is started on this machine and ends with the run."""
_AUTO = "auto"
"""Ray's own name for the cluster that this machine belongs to."""
_LONGEST_PLACE = 18
"""The most bytes in the path of the directory for temporary files. The paths of Ray's sockets are
85 bytes longer, and may have 103 on macOS and 107 on Linux.
"""
_REACHING = 10.0
"""Seconds in which a cluster has to answer."""
_SHARED_MEMORY = 80 * 1024 * 1024
"""Bytes of shared memory for a Ray that is started here, the least that it takes: nothing large
passes through it.
"""
_SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_USAGE_STATS_REPORT_URL": "http://127.0.0.1:9",  # Ray may report that it reports nothing
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",  # Ray would search the parent processes for a uv
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # or Ray warns that this will be the default
}
"""Environment variables that Ray reads when it is imported and when it is started."""
_LOCAL_SETTINGS = {
    "RAY_AUTH_MODE": "token",
    "RAY_AUTH_TOKEN": secrets.token_hex(32),  # Ray goes on with the first one of a process
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # then Ray uses the loopback address, on Linux too
}
"""More of them, for a Ray that is started here."""


class RayCluster:
    """A Ray cluster, and what each worker needs of it; a context manager that is connected to it.

    Without `workers` and `cores` there is a worker for each GPU, with an equal share of its
    machine's processor cores. Where there is no GPU, a worker has as many cores as the smallest
    machine, and there are as many workers as fit. With `use_gpus` False, GPUs are left alone.

    Raises LibraryError when Ray is not installed, when no cluster of this version answers, and when
    this process is connected to a cluster already.
    """

    def __init__(
        self,
        address: str,
        workers: int | None = None,
        cores: int | None = None,
        *,
        use_gpus: bool = True,
    ) -> None:
        for option, count in (("ray_workers", workers), ("ray_cores", cores)):
            if count is not None and count < 1:
                raise LibraryError(
                    f"{count} is too few for a run on Ray",
                    Remedy("{} must be at least 1", (Option(option),)),
                    ErrorKind.INVALID,
                )
        self._address = address
        self._use_gpus = use_gpus
        self._wanted = workers
        self._wanted_cores = cores
        self._leaving = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as leaving:
            self._ray = leaving.enter_context(_connection(self._address))
            self.plan([node["Resources"] for node in self._ray.nodes() if node["Alive"]])
            self._leaving = leaving.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._leaving.close()

    def plan(self, machines: Sequence[Mapping[str, float]]) -> None:
        """Decide how many workers there are and what each needs, by the machines' resources."""
        with_gpus = [one for one in machines if self._use_gpus and one.get("GPU", 0) >= 1]
        self.gpus = 1 if with_gpus else 0
        places = with_gpus or [machine for machine in machines if machine.get("CPU", 0) >= 1]
        shares = [one.get("CPU", 0) // (one["GPU"] if self.gpus else 1) for one in places]
        self.cores = self._wanted_cores or max(1, int(min(shares, default=1)))
        fitting = 0
        for machine in places:
            by_cores = int(machine.get("CPU", 0) // self.cores)
            fitting += min(by_cores, int(machine["GPU"])) if self.gpus else by_cores
        if self._address == LOCAL and not fitting:
            raise LibraryError(
                f"this machine has fewer than {counted(self.cores, 'core')}",
                Remedy("give a smaller {}", (Option("ray_cores"),)),
            )
        self.workers = self._wanted or max(1, fitting)

    @property
    def needs(self) -> str:
        """What each worker needs, in words."""
        cores = counted(self.cores, "core")
        return f"a GPU and {cores}" if self.gpus else cores

    @property
    def free(self) -> str:
        """What no worker of anybody has, in words."""
        resources = self._ray.available_resources()
        cores = counted(int(resources.get("CPU", 0)), "core")
        return f"{counted(int(resources.get('GPU', 0)), 'GPU')} and {cores}" if self.gpus else cores

    def start(self, kind: type, *given: object) -> list[Any]:
        """Start the workers, which are objects of class `kind` in processes of their own.

        Ray makes a worker again when its process has ended, and repeats the calls that it was in.
        """
        remote = self._ray.remote(
            num_cpus=self.cores,
            num_gpus=self.gpus,
            max_restarts=-1,
            max_task_retries=-1,
            max_concurrency=4,  # it is asked to stop while it works
        )(kind)
        return [remote.remote(*given) for _ in range(self.workers)]

    def ready(self, calls: Sequence[Any], seconds: float = 0) -> list[Any]:
        """Return those of the calls that have ended; wait up to so many seconds for all of them."""
        if not calls:
            return []
        ended, _ = self._ray.wait(list(calls), num_returns=len(calls), timeout=seconds)
        return list(ended)

    def result(self, call: Any) -> Any:
        """Return what a call that has ended returned, or the error that it ended with."""
        try:
            return self._ray.get(call, timeout=_REACHING)
        except self._ray.exceptions.RayError as error:
            return _failed(error)

    def end(self, workers: Sequence[Any]) -> None:
        """End the processes of these workers for good."""
        for worker in workers:
            self._ray.kill(worker, no_restart=True)


@contextmanager
def _connection(address: str) -> Iterator[Any]:
    """Be connected to a cluster, and give the module `ray`."""
    if "://" in address:
        raise LibraryError(
            "Ray's clients with addresses such as ray:// are not supported",
            Remedy(
                "run this on a machine of the cluster, with {}, or submit it as a job",
                (Option("ray", _AUTO),),
            ),
            ErrorKind.UNSUPPORTED,
        )
    settings, local = dict(_SETTINGS), address == LOCAL
    if local:
        settings |= _LOCAL_SETTINGS
    with ExitStack() as leaving:
        leaving.enter_context(_environment(settings))
        ray = _import_ray()
        if ray.is_initialized():  # to leave at the end would end what the caller has there
            raise LibraryError(
                "this process is connected to a Ray cluster already",
                "call ray.shutdown() before, or index in another process",
                ErrorKind.BUSY,
            )
        options: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
        if local:
            home = _make_home()
            leaving.callback(shutil.rmtree, home, ignore_errors=True)
            options |= {
                "include_dashboard": False,
                "object_store_memory": _SHARED_MEMORY,
                "_temp_dir": home,
            }
        elif address != _AUTO:
            _check_it_answers(address)
        leaving.enter_context(_silence(ray))
        leaving.callback(ray.shutdown)
        on_term = signal.getsignal(signal.SIGTERM)
        try:
            ray.init(address, **options)
        except Exception as error:  # Ray raises just that, too
            if address == _AUTO and isinstance(error, ConnectionError):
                raise _no_cluster("this machine belongs to no Ray cluster") from error
            raise _failed(error) from error
        finally:
            if threading.current_thread() is threading.main_thread():
                signal.signal(signal.SIGTERM, on_term)  # Ray has put a handler of its own there
        yield ray


def _import_ray() -> Any:
    try:
        import ray
    except ImportError as error:
        raise LibraryError(
            f"workers on a Ray cluster need Ray ({error})",
            "install it with: pip install 'sigseek[ray]'",
            ErrorKind.UNSUPPORTED,
        ) from error
    return ray


def _make_home() -> str:
    """Make the directory of a Ray that is started here, at a place with a short path."""
    usual = tempfile.gettempdir()
    long = sys.platform != "win32" and len(os.fsencode(usual)) > _LONGEST_PLACE
    place = "/tmp" if long and os.access("/tmp", os.W_OK) else usual
    return tempfile.mkdtemp(prefix="sigseek-ray-", dir=place)


@contextmanager
def _silence(ray: Any) -> Iterator[None]:
    """Keep Ray from printing, for as long as the context lasts. It has no option for this.

    A thread of it prints on stdout that a worker died, in the middle of a report in JSON.
    """
    inside = ray._private.worker
    before = inside.print_to_stdstream
    inside.print_to_stdstream = lambda *_, **__: None
    try:
        yield
    finally:
        inside.print_to_stdstream = before


def _check_it_answers(address: str) -> None:
    """Raise LibraryError if nothing answers at the address. Ray itself would wait for a minute."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), _REACHING).close()
    except (OSError, ValueError) as error:
        reason = "it has no port" if isinstance(error, ValueError) else str(error)
        raise _no_cluster(f"no Ray cluster answers at {address} ({reason})") from error


def _no_cluster(found: str) -> LibraryError:
    remedy = "give {} a HOST:PORT as `ray start` prints it, or {}"
    options = (Option("ray"), Option("ray", LOCAL))
    return LibraryError(found, Remedy(remedy, options), ErrorKind.UNAVAILABLE)


def _failed(error: Exception) -> LibraryError:
    """Return what went wrong in Ray as an error with one line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if lines and lines[0].startswith("Version mismatch"):
        return LibraryError(
            " ".join(lines),
            "use the same versions of Ray and Python on all machines",
            ErrorKind.UNSUPPORTED,
        )
    return LibraryError(
        f"Ray: {lines[-1] if lines else type(error).__name__}", None, ErrorKind.UNAVAILABLE
    )


@contextmanager
def _environment(settings: Mapping[str, str]) -> Iterator[None]:
    """Have these environment variables for as long as the context lasts."""
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value

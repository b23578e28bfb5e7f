"""A Milvus server of the tests' own: the real one, of version 2.3.5, gone with its starter."""

import contextlib
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock

_START = """
import sys, time
from milvus import MilvusServer, MilvusServerConfig
server = MilvusServer(MilvusServerConfig(data_dir=sys.argv[1]))
server.set_base_dir(sys.argv[1])
server.start()
print(server.listen_port, flush=True)
sys.stdin.read()
"""

_SETTINGS = {
    # A compaction is indexed anew some time later, and until then the index is not complete.
    "dataCoord.compaction.enableAutoCompaction": "false",
    # Each channel is told the time 20 times a second. Collections share the channels.
    "rootCoord.dmlChannelNum": "2",
    "dataCoord.segment.assignmentExpiration": "100",
    "indexCoord.scheduler.interval": "100",
    "log.level": "error",
    "proxy.timeTickInterval": "50",
    "queryCoord.checkChannelInterval": "100",
    "queryCoord.checkIndexInterval": "100",
    "queryCoord.checkSegmentInterval": "100",
    "queryCoord.distPullInterval": "100",
    "queryCoord.updateNextTargetInterval": "1",
}
"""Mostly how long the server's parts wait before they look for work, the last in seconds and the
others in milliseconds. By default a small collection waits ten seconds to be loaded and indexed.
"""
_THREADS = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
"""How many threads build an index. With several of them, an index of a few thousand photos takes
twice the processor time.
"""
MISSING = (
    "the tests on a Milvus server were left out, because the package milvus is not installed; "
    "there is one for x86-64 with Linux or macOS, and `make test-milvus` installs it"
)


def is_installed() -> bool:
    """Return whether the package with the server is there."""
    return importlib.util.find_spec("milvus") is not None


@contextlib.contextmanager
def milvus_server() -> Iterator[str]:
    """Run a server for as long as the context lasts, and give its address.

    It waits for the server of other tests, because the etcd in each always listens on port 2379.
    """
    place = Path(tempfile.mkdtemp(prefix="sigseek-milvus-"))
    command = [sys.executable, "-c", _START, str(place)]
    settings = {_variable(name): value for name, value in _SETTINGS.items()}
    turn = FileLock(Path(tempfile.gettempdir()) / f"sigseek-milvus-{os.getuid()}.lock")
    try:
        with (
            turn,
            subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=os.environ | _THREADS | settings,
                start_new_session=True,
            ) as starter,
        ):
            try:
                assert starter.stdout is not None
                port = starter.stdout.readline().decode().strip()
                if not port:
                    assert starter.stderr is not None
                    raise RuntimeError(starter.stderr.read().decode())
                yield f"milvus://127.0.0.1:{port}"
            finally:
                # The server is a child of its starter, in the same group of processes.
                os.killpg(starter.pid, signal.SIGKILL)
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _variable(setting: str) -> str:
    """Return the environment variable in which the server looks for a setting."""
    return setting.replace(".", "_").upper()

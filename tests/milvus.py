"""A Milvus server of the tests' own: the real one, of version 2.3.5, gone with its starter."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

_START = """
import sys, time
from milvus import MilvusServer, MilvusServerConfig
server = MilvusServer(MilvusServerConfig(data_dir=sys.argv[1]))
server.set_base_dir(sys.argv[1])
server.start()
print(server.listen_port, flush=True)
sys.stdin.read()
"""


@contextlib.contextmanager
def milvus_server() -> Iterator[str]:
    """Run a server for as long as the context lasts, and give its address."""
    place = Path(tempfile.mkdtemp(prefix="sigseek-milvus-"))
    command = [sys.executable, "-c", _START, str(place)]
    try:
        with subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        ) as starter:
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

"""A Milvus server of the tests' own: the real one, of version 2.3.5, gone with its starter."""

import contextlib
import shutil
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
server.stop()
"""


@contextlib.contextmanager
def milvus_server() -> Iterator[str]:
    """Run a server for as long as the context lasts, and give its address."""
    place = Path(tempfile.mkdtemp(prefix="sigseek-milvus-"))
    # The server itself is a child of the process that starts it, and dies with it.
    command = [sys.executable, "-c", _START, str(place)]
    try:
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as starter:
            assert starter.stdout is not None
            port = starter.stdout.readline().decode().strip()
            if not port:
                starter.kill()
                assert starter.stderr is not None
                raise RuntimeError(starter.stderr.read().decode())
            yield f"milvus://127.0.0.1:{port}"
            assert starter.stdin is not None
            starter.stdin.close()
    finally:
        shutil.rmtree(place, ignore_errors=True)

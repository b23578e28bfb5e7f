"""`sigseek serve` as people start it."""

import asyncio
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sigseek.web import server
from sigseek.web.settings import Settings
from tests.conftest import ROOT, Run

Serve = Callable[..., "tuple[subprocess.Popen[str], str]"]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Start the installed `sigseek serve` on a free port, and return it with its address."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: object) -> tuple[subprocess.Popen[str], str]:
        program = Path(sys.executable).parent / "sigseek"
        process = subprocess.Popen(
            [program, "serve", "--port", "0", *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
            env=os.environ.copy(),
        )
        started.append(process)
        assert process.stdout
        line = process.stdout.readline()
        assert " is shown at http://" in line, process.communicate()
        return process, line.split()[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def ask(address: str, path: str, **headers: str) -> dict[str, object]:
    request = urllib.request.Request(address + path, headers=headers)
    with urllib.request.urlopen(request, timeout=60) as response:
        answer: dict[str, object] = json.load(response)
    return answer


def wait_until_ready(address: str) -> dict[str, object]:
    """Ask whether the server is ready until it is. While it loads its model it says so."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        try:
            return ask(address, "api/v1/health/ready")
        except urllib.error.HTTPError as error:
            if error.code != 503 or error.headers["Retry-After"] != "1":
                raise
            time.sleep(0.05)
    raise AssertionError("not ready in a minute")


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_it_answers_until_it_is_told_to_stop(
    serve: Serve, mini_library: Path, ending: signal.Signals
) -> None:
    process, address = serve("--library", mini_library)
    assert ask(address, "api/v1/status")["photos"] == 40
    assert ask(address, "api/v1/search?q=a%20house")["headline"] == "4 photos match"
    with urllib.request.urlopen(address, timeout=60) as page:
        assert page.headers["content-type"] == "text/html; charset=utf-8"
    process.send_signal(ending)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (0, "", "")


def test_the_lines_of_the_documentation(serve: Serve, mini_library: Path, tmp_path: Path) -> None:
    if not (shutil.which("curl") and shutil.which("jq")):
        pytest.skip("curl and jq are not installed")
    library = shutil.copytree(mini_library, tmp_path / "library")
    _, address = serve("--library", library)
    lines = re.findall(r"^\$ (curl .*)$", (ROOT / "docs" / "http.md").read_text(), re.MULTILINE)
    printed = []
    for line in lines:
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", line.replace("http://127.0.0.1:7333/", address)],
            capture_output=True,
            text=True,
            check=True,
            cwd=tmp_path,
            timeout=120,
        )
        printed.append(done.stdout.splitlines())
    found, ndjson, tagged, similar, archive, error = printed
    assert found[0] == "4 photos match, the best 2 shown"
    assert len(found) == 3
    assert (len(ndjson), ndjson[-1]) == (5, "4")
    assert json.loads(tagged[0]) == {"label": "mine", "photos": 4, "by_hand": 4}
    assert len(similar) == 3
    assert archive == []
    with zipfile.ZipFile(tmp_path / "photos.zip") as photos:
        assert len(photos.namelist()) == 4
    assert error[:3] == ["400", "invalid", "7"]


def test_a_library_that_does_not_exist_is_made(serve: Serve, tmp_path: Path) -> None:
    browse = ("--browse", tmp_path, "--browse", tmp_path / "gone")
    process, address = serve("--library", tmp_path / "new", *browse)
    status = ask(address, "api/v1/status")
    assert (status["photos"], status["folders"], status["read_only"]) == (0, [], False)
    assert ask(address, "api/v1/search")["headline"] == "0 photos in the library"
    assert wait_until_ready(address)["ready"] is True
    process.terminate()
    assert process.communicate(timeout=30)[1] == (
        f"warning: --browse: there is no directory {tmp_path / 'gone'} now, so no folder in it can "
        "be chosen\n"
        f"a new library without photos was made: {tmp_path / 'new'}\n"
        f"add photos on its page, or with: sigseek index --library {tmp_path / 'new'} FOLDER\n"
    )


def test_what_cannot_be_served_is_one_line(run: Run, tmp_path: Path, mini_library: Path) -> None:
    here = ("serve", "--library", mini_library)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = run(*here, "--port", port, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"error: port {port} is taken, perhaps by another sigseek serve; "
        f"choose another one: --port {port + 1}\n"
    )
    done = run(*here, "--host", "0.0.0.0", check=False)
    assert done.stderr == (
        "error: everybody on the network could see the photos at 0.0.0.0; "
        "let in only those who know a word: --token TOKEN\n"
    )
    done = run(*here, "--host", "192.0.2.1", "--token", "secret", check=False)
    assert done.stderr == (
        "error: 192.0.2.1 is not an address of this machine; "
        "listen on this machine alone: --host 127.0.0.1\n"
    )
    done = run("serve", "--read-only", "--library", tmp_path / "none", check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: no library at {tmp_path / 'none'}; make one with: ")


def test_other_commands_import_nothing_of_the_server(mini_library: Path) -> None:
    code = (
        "import sys; from sigseek.cli.main import cli; "
        f"cli(['search', 'a house', '--library', {str(mini_library)!r}], standalone_mode=False); "
        "print([name for name in ('fastapi', 'uvicorn', 'starlette', 'pydantic', "
        "'python_multipart') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_the_body_of_an_answer_does_not_wait_for_the_other_side() -> None:
    async def no_delay() -> int:
        """Return what TCP_NODELAY is on a connection that asyncio has accepted."""
        accepted = asyncio.get_running_loop().create_future()

        class Accepting(asyncio.Protocol):
            def connection_made(self, transport: asyncio.BaseTransport) -> None:
                connection = transport.get_extra_info("socket")
                accepted.set_result(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
                transport.close()

        with server._listen(Settings(port=0)) as listening:
            async with await asyncio.get_running_loop().create_server(Accepting, sock=listening):
                with socket.create_connection(listening.getsockname()):
                    found: int = await accepted
        return found

    assert asyncio.run(no_delay())


def test_two_servers_on_one_port_are_refused_on_windows_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """There, SO_REUSEADDR lets a second server listen on a port that another one listens on."""
    monkeypatch.setattr(sys, "platform", "win32")
    with server._listen(Settings(port=0)) as listening:
        assert not listening.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR)

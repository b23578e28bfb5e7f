"""Checkpoints through the real hub client, from a hub on localhost."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import sigseek
from sigseek.errors import Remedy
from sigseek.progress import Listener, Silence, Stop
from sigseek.siglip import load_checkpoint
from sigseek.siglip.hub import is_hub_id
from tests.checkpoints import copy_mini
from tests.conftest import ROOT, Run
from tests.hub import COMMIT, Stall, serve

REPO = "someone/siglip-small"


def test_a_checkpoint_comes_from_the_hub_once(tmp_path: Path, drawn: Path, run: Run) -> None:
    served = copy_mini(tmp_path / "served")
    (served / "flax_model.msgpack").write_bytes(b"not wanted" * 1000)
    library = tmp_path / "library"
    with serve({REPO: served}) as (endpoint, requests):
        online = {"HF_ENDPOINT": endpoint, "HF_HUB_OFFLINE": "0"}
        done = run("index", drawn, "--library", library, "--model", REPO, "--json", **online)
        report = json.loads(done.stdout)
        assert (report["added"], report["model"]) == (40, REPO)
        assert f"downloading {REPO}, 10 MB, once" in done.stderr
        assert not [request for request in requests if "msgpack" in request]
        asked = len(requests)
        again = run("search", "a house", "--library", library, **online)
        assert len(requests) == asked, "cached: the hub is not asked again"
        assert "downloading" not in again.stderr
    code = f"from sigseek.siglip import load_checkpoint; load_checkpoint('{REPO}')"
    loaded = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", code],
        capture_output=True, text=True, cwd=ROOT, check=True,
    )  # fmt: skip
    assert "huggingface_hub.constants" in loaded.stderr
    assert "huggingface_hub.file_download" not in loaded.stderr, (
        "cached: the hub's client is not even loaded"
    )
    offline, by_mini = (
        [
            (row["path"], row["cosine"])
            for row in map(json.loads, run("search", "at night", *where).stdout.splitlines())
        ]
        for where in (
            ("--library", library, "--json"),
            ("--library", library, "--json", "--model", "mini"),
        )
    )
    assert offline == by_mini != [], "the same contents are the same checkpoint"


def test_one_revision(tmp_path: Path, drawn: Path, run: Run) -> None:
    with serve({REPO: copy_mini(tmp_path / "served")}) as (endpoint, _):
        done = run(
            "classify",
            next(drawn.glob("*.jpg")),
            "--label",
            "x",
            "--model",
            f"{REPO}@{COMMIT}",
            HF_ENDPOINT=endpoint,
            HF_HUB_OFFLINE="0",
        )
    assert "x" in done.stdout


def test_another_family_is_refused_before_its_weights_are_fetched(
    tmp_path: Path, drawn: Path, run: Run
) -> None:
    served = copy_mini(tmp_path / "served")
    (served / "config.json").write_text('{"model_type": "clip"}')
    with serve({REPO: served}) as (endpoint, requests):
        done = run(
            "index", drawn, "--model", REPO, check=False, HF_ENDPOINT=endpoint, HF_HUB_OFFLINE="0"
        )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(
        f"error: {REPO} is a checkpoint of the family 'clip', not SigLIP"
    )
    assert not [request for request in requests if "safetensors" in request]


def test_an_unknown_checkpoint(tmp_path: Path, drawn: Path, run: Run) -> None:
    with serve({}) as (endpoint, _):
        done = run(
            "index",
            drawn,
            "--model",
            "no/such",
            check=False,
            HF_ENDPOINT=endpoint,
            HF_HUB_OFFLINE="0",
        )
    assert done.returncode == 1
    assert "error: the hub answered 404 for no/such" in done.stderr


@pytest.mark.parametrize("status", [429, 503])
def test_a_hub_that_is_overloaded(drawn: Path, run: Run, status: int) -> None:
    with serve({}, otherwise=status) as (endpoint, _):
        online = {"HF_ENDPOINT": endpoint, "HF_HUB_OFFLINE": "0"}
        done = run("index", drawn, "--model", REPO, check=False, **online)
    assert done.returncode == 1
    assert f"error: the hub answered {status} for {REPO}; try again later\n" in done.stderr


def test_a_cache_of_the_hub_that_cannot_be_written(tmp_path: Path, drawn: Path, run: Run) -> None:
    (tmp_path / "full").write_bytes(b"")
    with serve({REPO: copy_mini(tmp_path / "served")}) as (endpoint, _):
        online = {"HF_ENDPOINT": endpoint, "HF_HUB_OFFLINE": "0"}
        done = run(
            "index", drawn, "--model", REPO, check=False, HF_HOME=str(tmp_path / "full"), **online
        )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        f"error: {REPO} cannot be kept in {tmp_path / 'full' / 'hub'} (not a directory); "
        "make room, or set HF_HOME to a directory on another disk"
    )


@pytest.mark.parametrize(
    "how", [{"HF_HUB_OFFLINE": "1"}, {"HF_HUB_OFFLINE": "0", "HF_ENDPOINT": "http://127.0.0.1:9"}]
)
def test_without_a_hub_the_error_names_the_ways_out(
    tmp_path: Path, drawn: Path, run: Run, how: dict[str, str]
) -> None:
    cache = tmp_path / "cache"
    done = run(
        "index", drawn, "--library", tmp_path / "library", check=False, HF_HOME=str(cache), **how
    )
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert ("asking the hub" in done.stderr) == (how["HF_HUB_OFFLINE"] == "0")
    assert last.startswith(
        "error: the hub cannot be reached and google/siglip-base-patch16-224 is not in"
    )
    assert str(cache) in last
    assert "give --model a local checkpoint directory" in last
    assert "sigseek demo" in last


def test_a_hub_that_never_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hotel's or firewall's portal does this: the connection is taken, and that is all."""
    program = """
import sys
import sigseek.siglip.hub, siglip
sigseek.siglip.hub._TIMEOUT = 0.5
try:
    siglip.load_checkpoint("some/checkpoint")
except siglip.CheckpointError as error:
    print(error)
"""
    with socket.create_server(("127.0.0.1", 0)) as mute:
        where = {
            "HF_ENDPOINT": f"http://127.0.0.1:{mute.getsockname()[1]}",
            "HF_HUB_OFFLINE": "0",
            "HF_HOME": str(tmp_path),
        }
        done = subprocess.run(
            [sys.executable, "-c", program],
            env=os.environ | where,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
    assert done.stdout.startswith("the hub cannot be reached and some/checkpoint is not in")


@pytest.fixture
def stalled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stall]:
    """A hub that stops in the middle of the weights of REPO, and an empty cache in `tmp_path`."""
    stall = Stall("model.safetensors")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache" / "hub"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    with serve({REPO: copy_mini(tmp_path / "served")}, stall) as (endpoint, _):
        monkeypatch.setenv("HF_ENDPOINT", endpoint)
        yield stall


def partial_files(cache: Path) -> list[Path]:
    return list(cache.rglob("*.incomplete"))


def test_a_download_is_stopped_while_the_hub_sends_nothing(tmp_path: Path, stalled: Stall) -> None:
    stop, cache = Stop(), tmp_path / "cache"
    seen: list[Path] = []

    def stop_it() -> None:
        assert stalled.reached.wait(120)
        seen.extend(partial_files(cache))
        stop.set()

    stopping = threading.Thread(target=stop_it)
    stopping.start()
    with pytest.raises(sigseek.StoppedError):
        load_checkpoint(REPO, stop=stop)
    stopping.join()
    assert not stalled.over.is_set(), "the hub has not sent the rest"
    assert (len(seen), partial_files(cache)) == (1, [])
    (snapshot,) = cache.glob("hub/*/snapshots/*")
    assert "spiece.model" in os.listdir(snapshot), "small files come first, and are kept"
    stalled.over.set()
    loaded = load_checkpoint(REPO)
    assert (loaded.name, loaded.directory) == (REPO, snapshot)


@pytest.mark.parametrize("whom", ["all", "the first"])
def test_ctrl_c_ends_a_download(tmp_path: Path, drawn: Path, stalled: Stall, whom: str) -> None:
    """A terminal interrupts all processes of the command, and `kill -INT` the first one."""
    with subprocess.Popen(
        [sys.executable, "-m", "sigseek", "index", str(drawn), "--model", REPO],
        stderr=subprocess.PIPE, text=True, cwd=ROOT, start_new_session=True,
    ) as process:  # fmt: skip
        assert stalled.reached.wait(120)
        send = os.killpg if whom == "all" else os.kill
        send(process.pid, signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert not stalled.over.is_set(), "the hub has not sent the rest"
    assert (process.returncode, said.splitlines()[-1]) == (
        130,
        "interrupted; what was finished is kept",
    )
    assert "Traceback" not in said
    assert partial_files(tmp_path / "cache") == []


def test_a_ctrl_c_that_python_loses_ends_a_download_all_the_same() -> None:
    """Python ignores what a signal raises while an object is destroyed."""
    said = interrupted_download("""
class Destroyed:
    def __del__(self):
        signal.raise_signal(signal.SIGINT)

def download(*given):
    Destroyed()
    time.sleep(600)
""")
    assert "Exception ignored in: <function Destroyed.__del__" in said


def test_a_ctrl_c_ends_a_download_that_it_does_not_wake() -> None:
    """It comes to another thread here. One that comes just before the process begins to wait for
    the hub does not end the waiting, either.
    """
    said = interrupted_download("""
def interrupt():
    time.sleep(0.2)
    signal.pthread_kill(threading.get_ident(), signal.SIGINT)

def download(*given):
    threading.Thread(target=interrupt).start()
    time.sleep(600)
""")
    assert said == ""


def test_a_ctrl_c_waits_for_the_tidying_up() -> None:
    """The file that is being downloaded is removed there, which may take long on a busy machine."""
    said = interrupted_download("""
def download(*given):
    try:
        signal.raise_signal(signal.SIGINT)
    finally:
        with suppress(FileNotFoundError):
            open("no such file")
        time.sleep(2.5)
        print("tidied up", file=sys.stderr)
""")
    assert said == "tidied up\n"


def interrupted_download(download: str) -> str:
    """Run the process that downloads, with this source of a download that interrupts it, and return
    what it says to a person.
    """
    code = f"""
import signal, sys, threading, time
from contextlib import suppress
from sigseek.siglip import hub_process
{download}
hub_process._download = download
hub_process.main()
"""
    done = subprocess.run(
        [sys.executable, "-c", code, REPO, "10"],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=ROOT,
    )
    assert (done.returncode, done.stdout) == (0, "")
    return done.stderr


def test_what_needs_a_checkpoint_is_stopped_during_its_download(
    tmp_path: Path, drawn: Path, stalled: Stall
) -> None:
    def stopped() -> tuple[Listener, Stop]:
        stop = Stop()

        class Stopping(Silence):
            def said(self, line: str | Remedy) -> None:
                if str(line).startswith("downloading"):
                    stop.set()

        return Stopping(), stop

    with sigseek.open(tmp_path / "library", model=REPO) as library:
        listener, stop = stopped()
        report = library.index(drawn, listener=listener, stop=stop)
        assert (report.stopped, report.scanned) == (True, 0)
        listener, stop = stopped()
        assert list(library.watch(drawn, listener=listener, stop=stop)) == []
        listener, stop = stopped()
        with pytest.raises(sigseek.StoppedError):
            library.embed_texts(["a house"], listener=listener, stop=stop)
        listener, stop = stopped()
        with pytest.raises(sigseek.StoppedError):
            library.classify(list(drawn.glob("*.jpg")), ["a"], listener=listener, stop=stop)
    assert not (tmp_path / "library").exists()


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("google/siglip-base-patch16-224", True),
        ("gpt2", False),
        ("a/b@main", True),
        ("a/b@refs/pr/1", True),
        ("a/b/c", False),
        ("../up", False),
        ("./here", False),
        ("/abs/olute", False),
        ("two words", False),
        ("", False),
    ],
)
def test_what_a_hub_id_looks_like(name: str, is_one: bool) -> None:
    assert is_hub_id(name) is is_one


@pytest.mark.parametrize("index", ["{", "[]", "{}"])
def test_a_damaged_index_in_the_cache_is_a_checkpoint_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, index: str
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    kept = tmp_path / "models--some--checkpoint"
    snapshot = kept / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    (kept / "refs").mkdir()
    (kept / "refs" / "main").write_text("abc")
    (snapshot / "config.json").write_text("{}")
    (snapshot / "model.safetensors.index.json").write_text(index)
    with pytest.raises(sigseek.CheckpointError, match="damaged") as raised:
        load_checkpoint("some/checkpoint")
    assert str(tmp_path) in str(raised.value)

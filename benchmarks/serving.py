"""Requests per second that `sigseek serve` answers, and how long they take.

    python -m benchmarks.serving [--checkpoint DIR] [--seconds 8]
    python -m benchmarks.serving --only-memory --checkpoint mini --photos 25000

The library holds 100,000 synthetic embeddings. Every request searches for a text that no other one
asks for, so each has to be embedded. Beside it stands the rate of the text tower alone, in batches,
measured before and after in a process of its own: no server can be faster. The client is a process
of this machine and takes some of its processors.

Printed are: requests for 1, 8, 32 and 64 clients, and the server's processor time for each; the
server's memory after every 500 of 5,000 requests more; and requests of 8 clients with and without
an indexing run beside them. A sample of the answers is compared with those of `Library.search`.
"""

import argparse
import asyncio
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count, cycle
from multiprocessing import get_context
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from benchmarks.geometry import Geometry
from benchmarks.libraries import fill, measure
from benchmarks.subjects import SMALL, save_base, save_photos
from sigseek.library import open_library
from sigseek.progress import Silence, Stop
from sigseek.siglip import load_checkpoint
from sigseek.siglip.runtimes.choose import load_text_tower
from sigseek.siglip.shared_text_tower import LARGEST_PASS

_API = "/api/v1"
_LIMIT = 10
_CHECKED = 20
_STEP, _SETTLED = 500, 1500


@dataclass
class Answered:
    """What clients were answered."""

    seconds: float = 0.0
    took: list[float] = field(default_factory=list)
    """Seconds of each request."""
    hits: dict[str, list[int]] = field(default_factory=dict)
    """The ids that a query found, by the query."""

    @property
    def rate(self) -> float:
        """Return the requests per second."""
        return len(self.took) / self.seconds

    def percentile(self, percent: float) -> float:
        """Return the milliseconds in which so many percent of the requests were answered."""
        return 1000 * float(np.percentile(self.took, percent))


class Client:
    """One connection to the server, kept open."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, method: str, path: str, body: bytes = b"") -> Any:
        """Return the JSON that a request is answered with. Raises ValueError for an error."""
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._streams
        writer.write(
            f"{method} {_API}{path} HTTP/1.1\r\nHost: 127.0.0.1:{self._port}\r\nX-Sigseek: 1\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode()
            + body
        )
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        found = re.search(r"content-length: (\d+)", head, re.IGNORECASE)
        answer = await reader.readexactly(int(found[1])) if found else b""
        if not head.startswith("HTTP/1.1 2"):
            raise ValueError(f"{path}: {head.splitlines()[0]} {answer[:300]!r}")
        return json.loads(answer)

    def close(self) -> None:
        """Close the connection."""
        if self._streams:
            self._streams[1].close()


async def load(port: int, clients: int, query: Callable[[], str], until: float) -> Answered:
    """Have so many clients ask one query after the other until the time of the monotonic clock."""
    answered, started = Answered(), time.monotonic()

    async def ask_on() -> None:
        client = Client(port)
        while time.monotonic() < until:
            text, begun = query(), time.monotonic()
            found = await client.ask("GET", f"/search?q={quote(text)}&limit={_LIMIT}&all=true")
            answered.took.append(time.monotonic() - begun)
            answered.hits[text] = [hit["id"] for hit in found["hits"]]
        client.close()

    await asyncio.gather(*(ask_on() for _ in range(clients)))
    answered.seconds = time.monotonic() - started
    return answered


@contextmanager
def serving(library: Path, checkpoint: str, browse: Path) -> Iterator[tuple[int, int]]:
    """Run `sigseek serve` until it is ready, and give its port and the number of its process."""
    program = Path(sys.executable).with_name("sigseek")
    options: list[str | Path] = ["--library", library, "--model", checkpoint, "--browse", browse]
    process = subprocess.Popen(
        [program, "serve", "--port", "0", *options], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout
        port = int(process.stdout.readline().rstrip("/\n").rpartition(":")[2])
        asyncio.run(_until_ready(port))
        yield port, process.pid
    finally:
        process.terminate()
        process.wait()


async def _until_embedding(port: int) -> None:
    """Wait until the indexing run has embedded a batch of photos, or has ended."""
    client = Client(port)
    while (run := await client.ask("GET", "/index"))["running"]:
        progress = run["progress"]
        if progress and progress["phase"] == "embedding" and progress["done"]:
            break
        await asyncio.sleep(0.2)
    client.close()


async def _until_ready(port: int) -> None:
    client = Client(port)
    while True:
        try:
            await client.ask("GET", "/health/ready")
            return client.close()
        except ValueError:
            await asyncio.sleep(0.2)


def memory(process: int) -> float:
    """Return the megabytes that a process takes now, without those that it shares with others."""
    status = Path(f"/proc/{process}/status").read_text()
    (kilobytes,) = re.findall(r"RssAnon:\s+(\d+) kB", status)
    return int(kilobytes) / 1e3


def peak_memory(process: int) -> float:
    """Return the most megabytes that a process has taken."""
    (kilobytes,) = re.findall(r"VmHWM:\s+(\d+)", Path(f"/proc/{process}/status").read_text())
    return int(kilobytes) / 1e3


def processor_time(process: int) -> float:
    """Return the seconds of processor time that a process has taken."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def watch_memory(port: int, process: int, requests: int) -> None:
    """Ask for distinct texts, with 32 clients, and print the server's memory after every 500.

    The first 1,500 requests fill what the server keeps, such as the embeddings of the last 1,000
    texts. What comes after them is compared with what was there then.
    """
    numbers, settled = count(5_000_000), 0.0
    for done in range(0, requests, _STEP):
        texts = iter([f"{next(numbers)} dogs" for _ in range(_STEP)])
        asyncio.run(_ask_all(port, texts))
        now = memory(process)
        settled = now if done < _SETTLED else settled
        print(f"{done + _STEP:6,} requests: {now:,.1f} MB", flush=True)
    print(
        f"{now / settled - 1:+.1%} after the first {_SETTLED:,} requests; "
        f"peak {peak_memory(process):,.0f} MB"
    )


async def _ask_all(port: int, texts: Iterator[str]) -> None:
    async def ask_on() -> None:
        client = Client(port)
        for text in texts:
            await client.ask("GET", f"/search?q={quote(text)}&limit={_LIMIT}&all=true")
        client.close()

    await asyncio.gather(*(ask_on() for _ in range(32)))


def text_rate(checkpoint: str, seconds: float) -> tuple[float, float]:
    """Return the texts per second that the text tower alone embeds, in its largest shared pass, and
    the milliseconds of processor time for each.
    """
    tower = load_text_tower(load_checkpoint(checkpoint), "cpu", "auto", Silence(), Stop())
    numbers = count()

    def texts() -> list[str]:
        return [f"{next(numbers)} cats on a sofa" for _ in range(LARGEST_PASS)]

    tower.embed(texts())
    done, started, used = 0, time.monotonic(), time.process_time()
    while time.monotonic() - started < seconds:
        done += len(tower.embed(texts()))
    return done / (time.monotonic() - started), 1000 * (time.process_time() - used) / done


def prepare(library: Path, checkpoint: str, photos: int) -> None:
    """Make the library."""
    loaded = load_checkpoint(checkpoint)
    geometry = Geometry(loaded.dimension)
    vectors = geometry.images(photos)
    library.mkdir()
    fill(library, vectors, loaded)
    measure(library, geometry.captions(vectors[-2200:]))


def apart(function: Callable[..., Any], *arguments: Any) -> Any:
    """Return what the function returns in a process of its own, which leaves no memory behind."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def check(answered: Answered, library: Path, checkpoint: str) -> None:
    """Compare a sample of the answers with those of Library.search. Raises SystemExit for a wrong
    one.
    """
    queries = list(answered.hits)[:: max(1, len(answered.hits) // _CHECKED)]
    with open_library(library, model=checkpoint) as opened:
        for query in queries:
            expected = [hit.id for hit in opened.search(query, _LIMIT, include_all=True)]
            if answered.hits[query] != expected:
                raise SystemExit(f"'{query}' found {answered.hits[query]}, not {expected}")
    print(f"{len(queries)} answers are those of Library.search", flush=True)


def main() -> None:
    """Measure a server and print the figures."""
    parser = argparse.ArgumentParser("python -m benchmarks.serving", description=__doc__)
    parser.add_argument("--checkpoint", help='a directory or "mini" (default: a random base)')
    parser.add_argument("--photos", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=8.0, help="of each load (default 8)")
    parser.add_argument(
        "--requests", type=int, default=5000, help="before memory is compared (default 5,000)"
    )
    parser.add_argument("--only-memory", action="store_true", help="leave out all that is timed")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sigseek-serving-") as made:
        os.environ["SIGSEEK_CACHE"] = str(Path(made, "cache"))
        checkpoint = arguments.checkpoint or str(save_base(Path(made, "base")))
        library, photos = Path(made, "library"), Path(made, "photos")
        apart(prepare, library, checkpoint, arguments.photos)
        if arguments.only_memory:
            with serving(library, checkpoint, Path(made)) as (port, process):
                watch_memory(port, process, arguments.requests)
            return
        save_photos(photos, 400, SMALL)
        before = apart(text_rate, checkpoint, arguments.seconds)
        with serving(library, checkpoint, photos) as (port, process):
            answered = _measure(port, process, before[0], arguments.seconds)
            check(answered, library, checkpoint)
            watch_memory(port, process, arguments.requests)
            _index_beside(port, photos, arguments.seconds)
        after = apart(text_rate, checkpoint, arguments.seconds)
        print(
            f"text tower alone, in batches of {LARGEST_PASS}: {before[0]:.1f} texts/s before, "
            f"{after[0]:.1f} after; {before[1]:.1f} ms of processor time for each, and "
            f"{after[1]:.1f}; load of the machine {os.getloadavg()[0]:.1f}"
        )


def _run(port: int, clients: int, query: Callable[[], str], seconds: float) -> Answered:
    return asyncio.run(load(port, clients, query, time.monotonic() + seconds))


def _distinct(first: int) -> Callable[[], str]:
    """Return what gives another text each time, by numbers from the first one on."""
    numbers = count(first)
    return lambda: f"{next(numbers)} cats on a sofa"


def _measure(port: int, process: int, alone: float, seconds: float) -> Answered:
    """Print the figures of a server, and return what it answered to 64 clients."""
    distinct = _distinct(1_000_000)
    _run(port, 8, distinct, seconds)
    titles = ("clients", "requests/s", "of tower", "p50 ms", "p99 ms", "CPU ms")
    print(" ".join(f"{title:>10}" for title in titles))
    for clients in (1, 8, 32, 64):
        used = processor_time(process)
        answered = _run(port, clients, distinct, seconds)
        used = (processor_time(process) - used) / len(answered.took)
        print(
            f"{clients:10} {answered.rate:10.1f} {answered.rate / alone:10.0%} "
            f"{answered.percentile(50):10.0f} {answered.percentile(99):10.0f} {1000 * used:10.1f}",
            flush=True,
        )
    known = [f"{number} dogs" for number in range(500)]
    asyncio.run(_ask_all(port, iter(known)))
    repeated = cycle(known)
    kept = _run(port, 32, lambda: next(repeated), seconds)
    print(f"500 texts in turn, kept: {kept.rate:.1f} requests/s")
    return answered


def _index_beside(port: int, photos: Path, seconds: float) -> None:
    """Print how long 8 clients wait with and without an indexing run beside them."""
    distinct = _distinct(2_000_000)
    alone = _run(port, 8, distinct, seconds).percentile(99)
    asyncio.run(Client(port).ask("POST", "/index", json.dumps({"folders": [str(photos)]}).encode()))
    asyncio.run(_until_embedding(port))
    beside = _run(port, 8, distinct, seconds)
    still = asyncio.run(Client(port).ask("GET", "/index"))["running"]
    print(
        f"8 clients, p99: {alone:.0f} ms; beside an indexing run"
        f"{'' if still else ' that ended meanwhile'}: {beside.percentile(99):.0f} ms"
    )
    asyncio.run(Client(port).ask("DELETE", "/index"))


if __name__ == "__main__":
    main()

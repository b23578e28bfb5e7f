"""How smoothly the page scrolls through a million photos in headless Chromium, and how soon the
photos of a search are seen.

For the scrolling the server is a stand-in, which answers at once: what is measured is the page. The
searches are answered by `sigseek serve` over photos that are drawn and indexed with mini.
"""

import argparse
import json
import struct
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

import numpy as np
from PIL import Image
from playwright.sync_api import Page

import sigseek
from sigseek.demo.photos import draw_photos
from tests.browser import browser

_PAGE = Path(__file__).parent.parent / "sigseek" / "web" / "page"
_TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
_JUMP = """async (last) => {
  const scroller = document.querySelector(".scroller");
  const begin = performance.now();
  scroller.scrollTop = scroller.scrollHeight;
  while (!document.querySelector(`.tile[data-place="${last}"]`)) {
    await new Promise(requestAnimationFrame);
  }
  await new Promise(requestAnimationFrame);
  return performance.now() - begin;
}"""
_SCROLL = """async (steps) => {
  const scroller = document.querySelector(".scroller");
  const frames = [];
  let nodes = 0;
  let before = performance.now();
  const frame = async () => {
    await new Promise(requestAnimationFrame);
    const now = performance.now();
    frames.push(now - before);
    before = now;
    nodes = Math.max(nodes, document.querySelectorAll("*").length);
  };
  const end = scroller.scrollHeight - scroller.clientHeight;
  for (let step = 0; step <= steps; step += 1) {
    scroller.scrollTop = (end * step) / steps;
    await frame();
  }
  for (let step = 0; step < steps; step += 1) {
    scroller.scrollTop -= 240;
    await frame();
  }
  return { frames, nodes };
}"""

_SEARCH = """async (query) => {
  const title = document.querySelector(".answer h1");
  const field = document.querySelector("#query");
  const isSeen = (tile) => tile.getBoundingClientRect().top < innerHeight;
  title.textContent = "";
  field.value = query;
  const begin = performance.now();
  document.querySelector("form.query").requestSubmit();
  const until = async (isSo) => {
    while (!isSo()) await new Promise(requestAnimationFrame);
    return performance.now() - begin;
  };
  await until(() => title.textContent);
  const first = await until(() => document.querySelector(".tile.loaded"));
  const tiles = () => [...document.querySelectorAll(".tile")].filter(isSeen);
  const all = await until(() => tiles().every((tile) => tile.classList.contains("loaded")));
  return [first, all];
}"""
"""Searches, and returns the milliseconds to the first thumbnail and to all in the window."""
_QUERIES = [
    f"{count} {color} {thing}"
    for count in ("two", "three")
    for color in ("red", "green", "purple", "blue")
    for thing in ("houses", "boats", "trees", "cats", "cars")
]


def main() -> None:
    """Print how long a jump to the end and the frames take, and how many nodes there are; then how
    long it takes from a search to its photos.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=int, default=1_000_000, help="(default: %(default)s)")
    parser.add_argument("--steps", type=int, default=300, help="(default: %(default)s)")
    parser.add_argument(
        "--drawn", type=int, default=200, help="photos to search, 0 for none (default: %(default)s)"
    )
    options = parser.parse_args()
    StandIn.photos = options.photos
    server = Server(("127.0.0.1", 0), StandIn)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with browser() as started:
        page = started.new_page(viewport={"width": 1280, "height": 900})
        page.goto(f"http://127.0.0.1:{server.server_port}/")
        page.wait_for_selector(f".strip[aria-valuemax='{options.photos}']", timeout=60_000)
        _measure(page, options.photos, options.steps)
        server.shutdown()
        if options.drawn:
            window = started.new_page(viewport={"width": 1280, "height": 900})
            with (
                tempfile.TemporaryDirectory() as folder,
                _served(Path(folder), options.drawn) as address,
            ):
                _measure_searches(window, address)


@contextmanager
def _served(folder: Path, photos: int) -> Iterator[str]:
    """Give the address of `sigseek serve` over photos drawn in the folder, whose thumbnails are
    kept.
    """
    photo_folder, library = folder / "photos", folder / "library"
    draw_photos(photo_folder, photos, seed=7)
    with sigseek.open(library, model="mini") as opened:
        opened.index(photo_folder)
        for id_ in range(1, photos + 1):
            opened.thumbnail(id_)
    command = [sys.executable, "-m", "sigseek", "serve", "--library", str(library), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout
            yield server.stdout.readline().split()[-1]
        finally:
            server.terminate()


def _measure_searches(page: Page, address: str) -> None:
    page.goto(address)
    page.wait_for_selector(".tile.loaded", timeout=60_000)
    page.evaluate(_SEARCH, "a windmill")
    taken = np.array([page.evaluate(_SEARCH, query) for query in _QUERIES])
    print(f"{len(_QUERIES)} searches")
    for until, figures in zip(("the first photo", "all in the window"), taken.T, strict=True):
        median, most = np.median(figures), np.percentile(figures, 95)
        print(f"until {until}: median {median:.0f} ms, 95 % within {most:.0f} ms")


def _measure(page: Page, photos: int, steps: int) -> None:
    page.wait_for_timeout(500)
    jump = page.evaluate(_JUMP, photos - 1)
    page.evaluate("document.querySelector('.scroller').scrollTop = 0")
    page.wait_for_timeout(500)
    scrolled = page.evaluate(_SCROLL, steps)
    frames = np.array(scrolled["frames"])
    print(f"{photos:,} photos, a window of 1280 x 900 pixels")
    print(f"jump to the last photo: {jump:.0f} ms")
    print(
        f"{len(frames)} frames of scrolling: {100 * (frames < 34).mean():.1f} % under 34 ms, "
        f"median {np.median(frames):.0f} ms, longest {frames.max():.0f} ms"
    )
    print(f"most nodes at a time: {scrolled['nodes']}")


class Server(ThreadingHTTPServer):
    """A server that does not mind a browser that goes away."""

    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Say nothing."""


class StandIn(BaseHTTPRequestHandler):
    """A server with as many photos as are asked for, all of them imagined."""

    protocol_version = "HTTP/1.1"
    photos: ClassVar[int] = 0
    pictures: ClassVar[dict[int, bytes]] = {}

    def do_GET(self) -> None:
        """Answer what the page asks for."""
        address = urlsplit(self.path)
        path, query = address.path.removeprefix("/api/v1/"), parse_qs(address.query)
        if path == "search/layout":
            self._send(layout(self.photos), "application/octet-stream")
        elif path == "search":
            self._send_json(first_answer(self.photos))
        elif path == "photos":
            ids = map(int, query["ids"][0].split(","))
            self._send_json({"photos": [photo(number) for number in ids]})
        elif path.endswith("/thumbnail"):
            self._send(self._picture(int(path.split("/")[1]) % 24), "image/jpeg", lasts=True)
        elif path in ("status", "health/live"):
            self._send_json({"photos": self.photos, "read_only": True})
        elif path == "events":
            self.send_error(404)
        else:
            file = _PAGE / (Path(path).name or "index.html")
            self._send(file.read_bytes(), _TYPES.get(file.suffix, "text/html"))

    def _picture(self, seed: int) -> bytes:
        if seed not in self.pictures:
            rough = np.random.default_rng(seed).integers(0, 256, (4, 6, 3), np.uint8)
            file = BytesIO()
            Image.fromarray(rough).resize((320, 213), Image.Resampling.BICUBIC).save(file, "JPEG")
            self.pictures[seed] = file.getvalue()
        return self.pictures[seed]

    def _send_json(self, fields: dict[str, Any]) -> None:
        self._send(json.dumps(fields).encode(), "application/json")

    def _send(self, body: bytes, media_type: str, *, lasts: bool = False) -> None:
        self.send_response(200)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "max-age=3600, immutable" if lasts else "no-store")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def layout(photos: int) -> bytes:
    """Return the whole order as `GET search/layout` answers: over 50 years, the newest first."""
    shapes = np.random.default_rng(0).choice([667, 750, 1333, 1500, 1778], photos)
    columns = (
        np.arange(1, photos + 1, dtype="<f8"),
        shapes.astype("<u2"),
        np.full(photos, 65535, "<u2"),
        np.linspace(29_000_000, 2_700_000, photos).astype("<i4"),
        np.full((photos, 3), 128, np.uint8),
    )
    body = struct.pack("<II", 0x53474C31, photos)
    for column in columns:
        body += column.tobytes()
        body += bytes(-len(body) % 8)
    return body


def first_answer(photos: int) -> dict[str, Any]:
    """Return the answer to a search without a query."""
    return {
        "query": "", "headline": "", "notes": [], "legend": [], "terms": [], "judged_by": "facts",
        "hits": [photo(number) for number in range(1, min(photos, 60) + 1)], "photos": photos,
        "matches": photos, "maybes": 0, "counted": True, "expected": photos, "next": "more",
    }  # fmt: skip


def photo(number: int) -> dict[str, Any]:
    """Return the facts of a photo."""
    return {
        "id": number, "name": f"{number}.jpg", "path": f"/photos/{number}.jpg", "copies": [],
        "width": 1500, "height": 1000, "taken_at": None, "probability": 1.0, "available": True,
        "color": f"#{number * 7919 % 0xFFFFFF:06x}", "shown_as": "original",
        "thumbnail": f"/api/v1/photos/{number}/thumbnail?v=1", "original": "/",
    }  # fmt: skip


if __name__ == "__main__":
    main()

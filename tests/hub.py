"""A Hugging Face hub on localhost: as much of its protocol as the real client asks for, over a
directory.
"""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

COMMIT = "a" * 40


class Stall:
    """A file of which the hub sends the first half, and then nothing more."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.reached = threading.Event()
        """Set when the first half was sent."""
        self.over = threading.Event()


@contextmanager
def serve(
    repositories: dict[str, Path], stall: Stall | None = None, *, otherwise: int = 404
) -> Iterator[tuple[str, list[str]]]:
    """Serve each directory as the repository of its name, and answer all else with a status. Gives
    the endpoint, and the requests as they come.
    """
    requests: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self._answer(body=False)

        def do_GET(self) -> None:
            self._answer(body=True)

        def _answer(self, *, body: bool) -> None:
            requests.append(f"{self.command} {self.path}")
            path = unquote(urlsplit(self.path).path)
            for repo, directory in repositories.items():
                if path == f"/api/models/{repo}" or path.startswith(
                    f"/api/models/{repo}/revision/"
                ):
                    return self._send(
                        200,
                        json.dumps(_model_info(repo, directory)).encode(),
                        "application/json",
                        body,
                    )
                if path.startswith(f"/api/models/{repo}/tree/"):
                    return self._send(
                        200, json.dumps(_tree(directory)).encode(), "application/json", body
                    )
                for revision in ("main", COMMIT):
                    prefix = f"/{repo}/resolve/{revision}/"
                    if path.startswith(prefix):
                        file = directory / path.removeprefix(prefix)
                        if file.is_file():
                            return self._send(
                                200, file.read_bytes(), "application/octet-stream", body
                            )
                        return self._send(
                            404, b"", "text/plain", body, {"X-Error-Code": "EntryNotFound"}
                        )
            about = {"X-Error-Code": "RepoNotFound"} if otherwise == 404 else {}
            return self._send(otherwise, b"", "text/plain", body, about)

        def _send(
            self,
            status: int,
            content: bytes,
            kind: str,
            body: bool,
            more: dict[str, str] | None = None,
        ) -> None:
            self.send_response(status)
            headers = {
                "Content-Length": str(len(content)),
                "Content-Type": kind,
                "ETag": f'"{hashlib.sha256(content).hexdigest()}"',
                "X-Repo-Commit": COMMIT,
            }
            for name, value in (headers | (more or {})).items():
                self.send_header(name, value)
            self.end_headers()
            if body and stall and self.path.endswith(f"/{stall.name}") and not stall.over.is_set():
                self.wfile.write(content[: len(content) // 2])
                stall.reached.set()
                assert stall.over.wait(120)
            elif body:
                self.wfile.write(content)

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", requests
    finally:
        if stall:
            stall.over.set()
        server.shutdown()
        thread.join()
        server.server_close()


def _tree(directory: Path) -> list[dict[str, object]]:
    return [
        {"type": "file", "path": path.name, "size": path.stat().st_size, "oid": "b"}
        for path in sorted(directory.iterdir())
    ]


def _model_info(repo: str, directory: Path) -> dict[str, object]:
    files = [
        {"rfilename": path.name, "size": path.stat().st_size, "blobId": "b"}
        for path in sorted(directory.iterdir())
    ]
    return {
        "id": repo,
        "modelId": repo,
        "sha": COMMIT,
        "siblings": files,
        "tags": [],
        "private": False,
        "downloads": 0,
    }

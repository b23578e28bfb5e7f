"""Pictures that callers send, most of them made to do harm."""

import io
import os
import signal
import stat
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pillow_heif
import pytest
from PIL import Image
from starlette.testclient import TestClient

import sigseek
from sigseek.library import Library
from sigseek.web.settings import Settings
from sigseek.web.upload_directory import UploadDirectory
from sigseek.web.uploads import Uploads
from tests.served import CHANGE, HOST, listening, served

API = "/api/v1"


@pytest.fixture(scope="module")
def web(mini_library: Path) -> Iterator[TestClient]:
    with served(mini_library) as client:
        client.headers.update(CHANGE)
        yield client


@pytest.fixture(scope="module")
def photo(drawn: Path) -> bytes:
    return (drawn / "scene-00007.jpg").read_bytes()


def uploaded_files() -> list[Path]:
    """Return what is in the directories of uploads, their locks left out."""
    place = Path(os.environ["SIGSEEK_CACHE"], "uploads")
    return [path for path in place.glob("*/*") if path.name != ".lock"]


def picture(width: int, height: int, form: str = "PNG") -> bytes:
    written = io.BytesIO()
    Image.new("RGB", (width, height), (200, 30, 30)).save(written, form)
    return written.getvalue()


def png_of_size(width: int, height: int) -> bytes:
    """Return a PNG that says to be this large, and holds next to nothing."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        check = zlib.crc32(kind + content)
        return len(content).to_bytes(4, "big") + kind + content + check.to_bytes(4, "big")

    sizes = width.to_bytes(4, "big") + height.to_bytes(4, "big")
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", sizes + b"\x08\x02\x00\x00\x00")
        + chunk(b"IDAT", zlib.compress(bytes(100_000)))
        + chunk(b"IEND", b"")
    )


def heic_bomb() -> bytes:
    """Return a HEIC whose boxes promise far more than they hold."""
    written = io.BytesIO()
    pillow_heif.from_pillow(Image.new("RGB", (64, 64), (9, 99, 9))).save(written)
    content = bytearray(written.getvalue())
    place = content.find(b"ispe") + 8
    content[place : place + 8] = (60_000).to_bytes(4, "big") * 2
    return bytes(content)


HOSTILE: dict[str, Callable[[], bytes]] = {
    "wide": lambda: picture(50_000, 1),
    "high": lambda: picture(1, 50_000),
    "truncated": lambda: picture(500, 500, "JPEG")[:900],
    "empty": lambda: b"",
    "300 megapixels": lambda: png_of_size(20_000, 15_000),
    "text": lambda: b"this is no picture\n" * 100,
    "heic": heic_bomb,
    "svg": lambda: b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
    "html": lambda: b"<html><script>alert(1)</script></html>",
    "postscript": lambda: b"%!PS-Adobe-3.0\n(/etc/passwd) (r) file\n",
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_after_a_hostile_picture_a_good_one_is_answered(
    web: TestClient, photo: bytes, kind: str
) -> None:
    bad = HOSTILE[kind]()
    files = [("file", ("bad.jpg", bad)), ("file", ("good.jpg", photo))]
    answer = web.post(f"{API}/embed", files=files)
    assert answer.status_code == 200
    first, second = answer.json()["embeddings"]
    assert np.linalg.norm(second) == pytest.approx(1, abs=1e-5)
    if kind not in ("wide", "high"):  # odd, and pictures all the same
        assert first is None
        (failed,) = answer.json()["failed"]
        assert failed["name"] == "bad.jpg"
        assert failed["reason"]
        assert "uploads" not in failed["reason"]
        alone = web.post(f"{API}/uploads", files={"file": ("bad.jpg", bad)})
        assert alone.status_code in (415, 422)
        assert alone.json()["detail"].startswith("bad.jpg cannot be used (")
    assert web.get(f"{API}/health/ready").json()["ready"] is True
    assert uploaded_files() == []


def test_a_picture_of_one_pixel_is_a_picture(web: TestClient) -> None:
    answer = web.post(f"{API}/embed", files={"file": ("dot.png", picture(1, 1))}).json()
    assert (answer["model"], answer["dimension"], answer["failed"]) == ("mini", 192, [])
    assert np.linalg.norm(answer["embeddings"][0]) == pytest.approx(1, abs=1e-5)


def test_embeddings_are_those_of_python(
    web: TestClient, mini_library: Path, photo: bytes, drawn: Path
) -> None:
    with sigseek.open(mini_library, model="mini", precision="fp32") as library:
        texts = library.embed_texts(["a house", "a cat"])
        embeddings, _ = library.embed_photos([drawn / "scene-00007.jpg"])
    answer = web.post(f"{API}/embed", json={"texts": ["a house", "a cat"]})
    np.testing.assert_allclose(answer.json()["embeddings"], texts, atol=1e-6)
    npy = {"Accept": "application/x-npy"}
    answer = web.post(f"{API}/embed", json={"texts": ["a house", "a cat"]}, headers=npy)
    assert answer.headers["content-type"] == "application/x-npy"
    loaded = np.load(io.BytesIO(answer.content))
    assert loaded.dtype == np.float32
    np.testing.assert_allclose(loaded, texts, atol=1e-6)
    answer = web.post(f"{API}/embed", files={"file": ("a.jpg", photo)}, headers=npy)
    (expected,) = embeddings.values()
    np.testing.assert_allclose(np.load(io.BytesIO(answer.content))[0], expected, atol=1e-5)
    failed = web.post(f"{API}/embed", files={"file": ("a.jpg", b"none")}, headers=npy)
    assert (failed.status_code, failed.headers["content-type"]) == (422, "application/problem+json")


def test_labels_are_scored_for_files_and_for_photos(
    web: TestClient, mini_library: Path, drawn: Path
) -> None:
    labels = ["a giraffe", "a house"]
    with sigseek.open(mini_library, model="mini", precision="fp32") as library:
        (expected,) = library.classify([drawn / "scene-00014.jpg"], labels)
        known = next(hit.id for hit in library.search("format:jpeg", 50) if "00014" in hit.path)
    sent = (drawn / "scene-00014.jpg").read_bytes()
    files = [("file", ("one.jpg", sent)), ("file", ("two.jpg", b"none"))]
    answer = web.post(f"{API}/classify", files=files, data={"labels": labels}).json()
    (one,) = answer["photos"]
    assert (one["name"], one["scores"][0]["label"]) == ("one.jpg", "a house")
    for score, ours in zip(one["scores"], expected.scores, strict=True):
        assert score == pytest.approx(vars(ours), abs=1e-4)
    assert [failed["name"] for failed in answer["failed"]] == ["two.jpg"]
    by_id = web.post(f"{API}/classify", json={"ids": [known, 9999], "labels": labels}).json()
    for said in (answer, by_id):
        (note,) = said["notes"]
        assert note["text"].startswith("mini knows only its own drawings, so its numbers for")
    nothing = web.post(f"{API}/classify", files=files[1:], data={"labels": labels}).json()
    assert (nothing["photos"], len(nothing["failed"]), nothing["notes"]) == ([], 1, [])
    assert by_id["photos"][0]["id"] == known
    assert by_id["photos"][0]["scores"][0]["score"] == pytest.approx(
        expected.scores[0].score, abs=0.01
    )
    assert by_id["failed"] == [
        {"id": 9999, "reason": "the library has no embedding of such a photo"}
    ]


def test_an_uploaded_picture_is_kept_for_searches(web: TestClient, photo: bytes) -> None:
    answer = web.post(f"{API}/uploads", files={"file": ("../../etc/My photo.jpg", photo)})
    assert answer.status_code == 201
    fields = answer.json()
    assert fields["name"] == "My photo.jpg"
    small = web.get(fields["thumbnail"])
    assert small.headers["content-type"] == "image/jpeg"
    assert max(Image.open(io.BytesIO(small.content)).size) <= 320
    (kept,) = uploaded_files()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert stat.S_IMODE(kept.parent.stat().st_mode) == 0o700
    uploads: Uploads = web.app.state.uploads  # type: ignore[attr-defined]
    assert uploads[fields["photo"]] == kept
    assert list(uploads) == [fields["photo"]]
    uploads._kept.clear()
    kept.unlink()
    assert web.get(fields["thumbnail"]).status_code == 404


def test_searches_by_an_uploaded_picture(web: TestClient, photo: bytes, drawn: Path) -> None:
    uploaded = web.post(f"{API}/uploads", files={"file": ("mine.jpg", photo)}).json()["photo"]
    found = web.get(f"{API}/search", params={"q": f"photo:{uploaded} format:jpeg"}).json()
    assert found["hits"][0]["path"] == str(drawn / "scene-00007.jpg")
    assert uploaded in found["query"]
    assert "uploads" not in str(found)
    alike = web.post(f"{API}/similar", json={"id": uploaded, "limit": 3}).json()
    assert alike["hits"][0]["path"] == str(drawn / "scene-00007.jpg")
    assert alike["hits"][0]["cosine"] == pytest.approx(1, abs=1e-3)
    unknown = web.get(f"{API}/search", params={"q": "photo:upload-0123"})
    assert unknown.status_code == 400
    assert unknown.json()["detail"] == "photo:upload-0123 names no picture that is kept here"
    (kept,) = uploaded_files()
    web.app.state.uploads._kept.clear()  # type: ignore[attr-defined]
    kept.unlink()


def test_a_picture_is_gone_in_time_even_if_nobody_asks(mini_library: Path, photo: bytes) -> None:
    with served(mini_library, upload_seconds=0.2) as client:
        files = {"file": ("a.jpg", photo)}
        assert client.post(f"{API}/uploads", files=files, headers=CHANGE).status_code == 201
        until = time.monotonic() + 30
        while uploaded_files() and time.monotonic() < until:
            time.sleep(0.1)
        assert uploaded_files() == []


def test_photos_like_a_picture_that_is_sent(web: TestClient, photo: bytes) -> None:
    def ask(content: bytes, **fields: str) -> httpx.Response:
        files = {"file": ("a.jpg", content)}
        return web.post(f"{API}/similar", files=files, data=fields, headers=CHANGE)

    before = set(uploaded_files())
    upload = web.post(f"{API}/uploads", files={"file": ("a.jpg", photo)}, headers=CHANGE).json()
    asked = {"id": upload["photo"], "limit": 5, "offset": 1}
    by_name = web.post(f"{API}/similar", json=asked, headers=CHANGE).json()
    found = ask(photo, limit="5", offset="1")
    assert found.json() == by_name
    assert len(by_name["hits"]) == 5
    refused = ask(b"no picture")
    assert (refused.status_code, refused.json()["kind"]) == (422, "unsupported")
    assert refused.json()["detail"].startswith("a.jpg cannot be used (")
    assert ask(photo, limit="many").status_code == 422
    (kept,) = set(uploaded_files()) - before
    kept.unlink()


def test_uploads_are_few_and_for_minutes(
    mini_library: Path, photo: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    with served(mini_library, max_uploads=2, upload_seconds=60) as client:
        client.headers.update(CHANGE)
        tokens = [
            client.post(f"{API}/uploads", files={"file": ("a.jpg", photo)}).json()["photo"]
            for _ in range(3)
        ]
        uploads: Uploads = client.app.state.uploads  # type: ignore[attr-defined]
        assert list(uploads) == tokens[1:]
        assert len(uploaded_files()) == 2
        now = time.monotonic()
        monkeypatch.setattr(time, "monotonic", lambda: now + 61)
        assert list(uploads) == []
        assert uploaded_files() == []


def test_a_cache_that_takes_no_files_keeps_nobody_from_searching(
    mini_library: Path, photo: bytes, own_cache: Path
) -> None:
    (own_cache / "uploads").write_bytes(b"")  # where the directory would be
    with served(mini_library) as client:
        client.headers.update(CHANGE)
        assert client.get(f"{API}/search", params={"q": "a house"}).json()["matches"] == 4
        refused = client.post(f"{API}/uploads", files={"file": ("a.jpg", photo)})
        assert (refused.status_code, refused.json()["kind"]) == (503, "unavailable")


@pytest.mark.parametrize(("path", "status"), [("embed", 200), ("similar", 200), ("classify", 422)])
def test_the_media_type_of_a_form_may_be_in_capitals(
    web: TestClient, photo: bytes, path: str, status: int
) -> None:
    head = b'Content-Disposition: form-data; name="file"; filename="a.jpg"'
    answered = web.post(
        f"{API}/{path}",
        content=b"--b\r\n" + head + b"\r\n\r\n" + photo + b"\r\n--b--\r\n",
        headers={"Content-Type": "Multipart/Form-Data; boundary=b"},
    )
    assert answered.status_code == status, answered.text


def test_too_much_is_refused(mini_library: Path, photo: bytes) -> None:
    with served(mini_library, max_upload_bytes=100_000) as client:
        client.headers.update(CHANGE)
        long = client.post(f"{API}/uploads", files={"file": ("a.jpg", bytes(200_000))})
        assert (long.status_code, long.json()["kind"]) == (413, "too large")

        def chunks() -> Iterator[bytes]:  # without a length
            yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
            for _ in range(100):
                yield bytes(10_000)

        kind = {"Content-Type": "multipart/form-data; boundary=x"}
        streamed = client.post(f"{API}/uploads", content=chunks(), headers=kind)
        assert streamed.status_code == 413
        many = [("file", (f"{n}.jpg", b"x")) for n in range(33)]
        assert client.post(f"{API}/embed", files=many).status_code == 413
        assert client.post(f"{API}/uploads", files=many[:2]).status_code == 413
        texts = client.post(f"{API}/embed", json={"texts": ["a"] * 1001})
        assert texts.status_code == 422
        assert client.post(f"{API}/uploads", files={"file": ("a.jpg", photo)}).status_code == 201
    assert uploaded_files() == []


@pytest.mark.parametrize(
    ("content_type", "body", "status"),
    [
        ("multipart/form-data", b"", 415),
        ("multipart/form-data; boundary=", b"--\r\n", 415),
        ("multipart/form-data; boundary=x", b"", 400),
        ("multipart/form-data; boundary=x", b"no form at all", 400),
        ("multipart/form-data; boundary=x", b"--x\r\nContent-Disposition: form-data", 400),
        ("multipart/form-data; boundary=x", b"--x\r\n" + b"a" * 100_000 + b": b\r\n\r\n", 400),
        ("multipart/form-data; boundary=" + "y" * 5000, b"--", 400),
        ("multipart/form-data; boundary=x", b'--x\r\nA: b\r\n\r\nvalue\r\n--x--\r\n', 422),
        ("text/plain", b"a", 415),
        ("", b"", 415),
    ],
)  # fmt: skip
def test_what_is_no_form_is_refused(
    web: TestClient, content_type: str, body: bytes, status: int
) -> None:
    answer = web.post(f"{API}/uploads", content=body, headers={"Content-Type": content_type})
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["remedy"]["text"]
    assert uploaded_files() == []


def test_a_full_queue_is_told_and_when_to_come_again(
    mini_library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sigseek.web.app.MOST_SEARCHING", 1)
    monkeypatch.setattr("sigseek.web.app.MOST_WAITING", 2)
    go_on, stopped = threading.Event(), threading.Event()
    begun: list[str] = []
    with sigseek.open(mini_library, model="mini", precision="fp32") as library:

        def embed(texts: list[str], *, stop: sigseek.Stop) -> Any:
            begun.extend(texts)
            while not go_on.is_set():
                if stop.is_set():
                    stopped.set()
                    stop.check()
                time.sleep(0.01)
            return np.ones((len(texts), 192), np.float32)

        monkeypatch.setattr(library, "embed_texts", embed)
        with listening(library) as client:
            answers: dict[str, Any] = {}

            def ask(text: str, seconds: float) -> None:
                try:
                    answer = client.post("embed", json={"texts": [text]}, timeout=seconds)
                    answers[text] = answer.status_code
                except httpx.TimeoutException:
                    answers[text] = "left"

            def begin(text: str, seconds: float) -> threading.Thread:
                thread = threading.Thread(target=ask, args=(text, seconds))
                thread.start()
                time.sleep(0.3)
                return thread

            leaves = begin("the first works and leaves", 5)
            dropped = begin("the second waits and leaves", 3)
            waits = begin("the third waits", 60)
            full = client.post("embed", json={"texts": ["one too many"]})
            assert (full.status_code, full.headers["retry-after"]) == (429, "1")
            assert full.json()["detail"] == "too many searches are waiting"
            dropped.join()
            leaves.join()
            assert stopped.wait(30)
            go_on.set()
            waits.join()
        assert begun == ["the first works and leaves", "the third waits"]
        assert answers == {
            "the first works and leaves": "left",
            "the second waits and leaves": "left",
            "the third waits": 200,
        }


def test_searches_take_turns(mini_library: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sigseek.web.app.MOST_SEARCHING", 2)
    monkeypatch.setattr("sigseek.web.app.MOST_WAITING", 3)
    go_on = threading.Event()
    search = Library.search
    at_once: list[int] = []
    most: list[int] = []

    def slow(library: Library, *arguments: Any, **options: Any) -> Any:
        at_once.append(1)
        most.append(len(at_once))
        assert go_on.wait(60)
        at_once.pop()
        return search(library, *arguments, **options)

    monkeypatch.setattr(Library, "search", slow)
    with (
        sigseek.open(mini_library, model="mini", precision="fp32") as library,
        listening(library) as client,
        ThreadPoolExecutor(8) as pool,
    ):
        asked = [pool.submit(client.get, "search", params={"q": f"{n} cats"}) for n in range(5)]
        time.sleep(1)
        assert client.get("search", params={"q": "one too many"}).status_code == 429
        assert client.get("health/live").status_code == 200
        go_on.set()
        assert [future.result().status_code for future in asked] == [200] * 5
    assert max(most) == 2


def test_a_caller_that_leaves_in_the_middle_leaves_nothing_behind(mini_library: Path) -> None:
    with (
        sigseek.open(mini_library, model="mini", precision="fp32") as library,
        listening(library) as client,
    ):

        def part() -> Iterator[bytes]:
            yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
            yield bytes(100_000)
            raise ConnectionError("gone")

        kind = {"Content-Type": "multipart/form-data; boundary=x"}
        with pytest.raises(ConnectionError):
            client.post("uploads", content=part(), headers=kind)
        until = time.monotonic() + 30
        while uploaded_files():
            assert time.monotonic() < until
            time.sleep(0.05)
        assert client.get("health/ready").json()["ready"] is True


def test_what_a_killed_server_left_is_removed_at_the_next_start(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; "
        "from sigseek.web.upload_directory import UploadDirectory; "
        f"made = UploadDirectory(Path({str(tmp_path)!r})); "
        "made.new_file('.jpg').write_text('a picture'); print(made.path, flush=True); "
        "time.sleep(100)"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout
    left = Path(process.stdout.readline().strip())
    other = UploadDirectory(tmp_path)  # while the first still runs
    assert len(list(left.glob("*.jpg"))) == 1
    process.send_signal(signal.SIGKILL)
    process.communicate()
    third = UploadDirectory(tmp_path)
    assert not left.exists()
    assert other.path.exists()
    for directory in (other, third):
        directory.close()
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]


def test_servers_that_begin_together_leave_each_other_alone(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        made = list(threads.map(UploadDirectory, [tmp_path] * 60))
    assert len({directory.path for directory in made}) == 60
    for directory in made:
        directory.new_file(".jpg")  # it is still there
        directory.close()


def test_the_settings_bound_uploads() -> None:
    settings = Settings()
    assert (settings.max_upload_bytes, settings.max_uploads) == (100_000_000, 32)
    assert settings.upload_seconds == 15 * 60
    assert HOST.endswith(str(settings.port))

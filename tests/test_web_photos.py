"""Photos over HTTP: facts, thumbnails, originals and archives."""

import io
import os
import shutil
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from starlette.testclient import TestClient

import sigseek
from sigseek.web.archive_links import ArchiveLinks
from sigseek.web.routes.archive import _entry, _time
from tests.photos import save
from tests.served import CHANGE, served


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("served") / "photos"
    save(folder / "one" / "picture.png", seed=1, size=(900, 600))
    save(folder / "two" / "picture.png", seed=2)
    save(folder / "three.tif", seed=3, size=(64, 48))
    shutil.copy(folder / "one" / "picture.png", folder / "copy.png")
    with sigseek.open(folder.parent / "library", model="mini", precision="fp32") as library:
        library.index(folder)
    return folder


@pytest.fixture(scope="module")
def web(photos: Path) -> Iterator[TestClient]:
    with served(photos.parent / "library") as client:
        yield client


def numbers(web: TestClient) -> dict[str, int]:
    """Return the photos' numbers by path below the folder."""
    hits = web.get("/api/v1/search", params={"sort": "path"}).json()["hits"]
    return {str(Path(hit["path"])).split("photos/")[-1]: hit["id"] for hit in hits}


def test_several_photos_come_in_the_order_of_their_numbers(web: TestClient) -> None:
    ids = list(numbers(web).values())
    wanted = [ids[2], 999, ids[0], ids[2]]
    found = web.get("/api/v1/photos", params={"ids": ",".join(map(str, wanted))}).json()["photos"]
    assert [photo["id"] for photo in found] == [ids[2], ids[0], ids[2]]
    assert web.get("/api/v1/photos", params={"ids": "1,x"}).status_code == 422
    assert web.get("/api/v1/photos", params={"ids": ",".join(["1"] * 201)}).status_code == 422


def test_a_photo_has_all_its_files(web: TestClient, photos: Path) -> None:
    id_ = numbers(web)["copy.png"]
    photo = web.get(f"/api/v1/photos/{id_}").json()
    assert [file["path"] for file in photo["files"]] == [
        str(photos / "copy.png"), str(photos / "one" / "picture.png"),
    ]  # fmt: skip
    assert photo["files"][0]["size"] == (photos / "copy.png").stat().st_size
    assert all(file["present"] for file in photo["files"])
    assert (photo["format"], photo["shown_as"], photo["name"]) == ("PNG", "original", "copy.png")
    assert "rank" not in photo
    missing = web.get("/api/v1/photos/999")
    assert (missing.status_code, missing.json()["kind"]) == (404, "not found")


def test_thumbnails_are_kept_by_browsers_for_good(web: TestClient) -> None:
    id_ = numbers(web)["copy.png"]
    photo = web.get(f"/api/v1/photos/{id_}").json()
    first = web.get(photo["thumbnail"])
    assert Image.open(io.BytesIO(first.content)).size == (320, 213)
    assert first.headers["cache-control"] == "private, max-age=31536000, immutable"
    again = web.get(photo["thumbnail"], headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    large = web.get(photo["thumbnail"] + "&size=1280")
    assert Image.open(io.BytesIO(large.content)).size == (900, 600)
    assert large.headers["etag"] != first.headers["etag"]
    assert web.get(f"/api/v1/photos/{id_}/thumbnail?size=321").status_code == 422


def test_originals_are_sent_whole_and_in_parts(web: TestClient, photos: Path) -> None:
    id_ = numbers(web)["copy.png"]
    data = (photos / "copy.png").read_bytes()
    whole = web.get(f"/api/v1/photos/{id_}/original")
    assert (whole.content, whole.headers["content-type"]) == (data, "image/png")
    assert whole.headers["content-disposition"] == 'inline; filename="copy.png"'
    part = web.get(f"/api/v1/photos/{id_}/original", headers={"Range": "bytes=5-9"})
    assert (part.status_code, part.content) == (206, data[5:10])
    beyond = web.get(f"/api/v1/photos/{id_}/original", headers={"Range": "bytes=9999999-"})
    assert (beyond.status_code, beyond.json()["title"]) == (416, "Requested Range Not Satisfiable")
    assert beyond.headers["content-type"] == "application/problem+json"
    assert beyond.headers["content-range"] == f"bytes */{len(data)}"
    for unread in ("lines=1-2", "bytes=abc", "bytes=5-2", "5-9"):  # RFC 9110: ignored
        ignored = web.get(f"/api/v1/photos/{id_}/original", headers={"Range": unread})
        assert (ignored.status_code, ignored.content) == (200, data)
    saved = web.get(f"/api/v1/photos/{id_}/original", params={"download": "true"})
    assert saved.headers["content-disposition"] == 'attachment; filename="copy.png"'


def test_an_original_that_the_caller_has_is_not_sent_again(web: TestClient, photos: Path) -> None:
    address = f"/api/v1/photos/{numbers(web)['copy.png']}/original"
    first = web.get(address).headers
    tag, changed = first["etag"], first["last-modified"]
    for has in (
        {"If-None-Match": tag},
        {"If-None-Match": f'W/"a,b", W/{tag}'},
        {"If-None-Match": "*"},
        {"If-None-Match": tag, "If-Modified-Since": "Sat, 01 Jan 2000 00:00:00 GMT"},
        {"If-Modified-Since": changed},
        {"If-None-Match": tag, "Range": "bytes=5-9"},
    ):
        answer = web.get(address, headers=has)
        assert (answer.status_code, answer.content) == (304, b""), has
        for name in ("etag", "last-modified", "cache-control"):
            assert answer.headers[name] == first[name]
    for has_not in (
        {"If-None-Match": '"other"'},
        {"If-None-Match": '"other"', "If-Modified-Since": changed},
        {"If-Modified-Since": "Sat, 01 Jan 2000 00:00:00 GMT"},
        {"If-Modified-Since": "yesterday"},
    ):
        assert web.get(address, headers=has_not).status_code == 200, has_not
    times = (photos / "copy.png").stat()
    os.utime(photos / "copy.png", (0, 2_000_000_000))
    assert web.get(address, headers={"If-None-Match": tag}).status_code == 200
    os.utime(photos / "copy.png", ns=(times.st_atime_ns, times.st_mtime_ns))
    any_one = {"If-None-Match": "*"}
    assert web.get(f"{address[:-8]}thumbnail", headers=any_one).status_code == 304
    assert web.get("/api/v1/search/layout", headers=any_one).status_code == 304


def test_what_browsers_do_not_show_is_saved_or_derived(web: TestClient) -> None:
    id_ = numbers(web)["three.tif"]
    original = web.get(f"/api/v1/photos/{id_}/original")
    assert original.headers["content-type"] == "application/octet-stream"
    assert original.headers["content-disposition"] == 'attachment; filename="three.tif"'
    derived = web.get(f"/api/v1/photos/{id_}/derived")
    assert derived.headers["content-type"] == "image/jpeg"
    assert Image.open(io.BytesIO(derived.content)).size == (64, 48)
    assert web.get(f"/api/v1/photos/{id_}").json()["shown_as"] == "derived"


def test_an_archive_has_each_file_once_under_a_name_of_its_own(
    web: TestClient, photos: Path
) -> None:
    ids = numbers(web)
    away = ids["three.tif"]
    (photos / "three.tif").rename(photos.parent / "three.tif")
    wanted = [ids["two/picture.png"], ids["copy.png"], ids["copy.png"], away]
    changed = time.localtime((photos / "copy.png").stat().st_mtime)[:6]
    answer = web.post("/api/v1/zip", json={"ids": wanted}, headers=CHANGE)
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["picture.png", "copy.png", "left out.txt"]
        assert archive.read("picture.png") == (photos / "two" / "picture.png").read_bytes()
        # An archive tells every other second.
        even = (*changed[:5], changed[5] // 2 * 2)
        assert archive.getinfo("copy.png").date_time == even
        said = f"photo {away}: none of the files of photo {away} is there\n"
        assert archive.read("left out.txt").decode() == said
        assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_STORED}
    (photos.parent / "three.tif").rename(photos / "three.tif")
    answer = web.post("/api/v1/zip", json={"query": "format:tiff"}, headers=CHANGE)
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.namelist() == ["three.tif"]
    for nothing in ({}, {"ids": [1], "query": "a"}):
        assert web.post("/api/v1/zip", json=nothing, headers=CHANGE).status_code == 422


@pytest.mark.parametrize("path", ["zip", "zip/links"])
def test_an_archive_of_a_photo_that_the_library_does_not_have_is_refused(
    web: TestClient, path: str
) -> None:
    id_ = numbers(web)["copy.png"]
    answer = web.post(f"/api/v1/{path}", json={"ids": [id_, 999, 998]}, headers=CHANGE)
    assert (answer.status_code, answer.json()["kind"]) == (404, "not found")
    assert answer.json()["detail"] == "the library has no photo 999"
    twice = web.post("/api/v1/zip/links", json={"ids": [id_, id_]}, headers=CHANGE)
    assert twice.json()["photos"] == 1


def test_a_link_to_an_archive_is_followed_once_by_who_made_it(photos: Path) -> None:
    bearer, path = {"Authorization": "Bearer secret"}, "/api/v1/zip/links"
    with served(photos.parent / "library", token="secret") as web:
        tiff = {"query": "format:tiff"}
        of_program = web.post(path, json=tiff, headers=CHANGE | bearer).json()["address"]
        web.post("/api/v1/login", data={"token": "secret"})
        made = web.post(path, json=tiff, headers=CHANGE).json()
        assert (made["photos"], made["seconds"]) == (1, 300)
        assert web.get(of_program).status_code == 404, "another login made it"
        assert web.head(made["address"]).status_code == 405
        answer = web.get(made["address"])
        assert answer.headers["content-disposition"] == 'attachment; filename="sigseek.zip"'
        with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
            assert archive.namelist() == ["three.tif"]
        again = web.get(made["address"])
        assert (again.status_code, again.json()["kind"]) == (404, "not found")
        assert again.json()["detail"] == "this link was used or is too old"
        assert web.post(path, json={}, headers=CHANGE).status_code == 422


def test_links_to_archives_are_few_and_for_minutes() -> None:
    now = [0.0]
    links = ArchiveLinks(lambda: now[0])
    first, second = links.make([1, 2], ""), links.make([3], "anna")
    assert links.take(second, "") is None
    assert links.take(second, "anna") == [3]
    now[0] = 299
    others = [links.make([id_], "") for id_ in range(100)]
    assert links.take(first, "") is None, "more than a hundred are not kept"
    assert links.take(others[0], "") == [0]
    now[0] = 600
    assert links.take(others[1], "") is None


def test_times_that_an_archive_cannot_tell_are_the_nearest() -> None:
    assert _time(0) == (1980, 1, 1, 0, 0, 0)
    assert _time(-1e18) == (1980, 1, 1, 0, 0, 0)
    assert _time(1e18) == (2107, 12, 31, 23, 59, 58)
    assert _time(5e9) == (2107, 12, 31, 23, 59, 58)


def test_names_in_an_archive_are_free_and_lead_nowhere() -> None:
    names = {"left out.txt": 1}
    paths = ["a/x.jpg", "b/X.jpg", "c/x (2).jpg", "d/x.jpg", "..\\..\\x.jpg", "left out.txt"]
    assert [_entry(Path(path), names).filename for path in paths] == [
        "x.jpg", "X (2).jpg", "x (2) (2).jpg", "x (3).jpg", ".._.._x.jpg", "left out (2).txt"
    ]  # fmt: skip


def test_a_photo_that_is_away_is_told_and_still_found(tmp_path: Path) -> None:
    save(tmp_path / "photos" / "gone.png", seed=7)
    save(tmp_path / "photos" / "other.png", seed=8)
    with sigseek.open(tmp_path / "library", model="mini", precision="fp32") as library:
        library.index(tmp_path / "photos")
    with served(tmp_path / "library") as web:
        id_ = numbers(web)["gone.png"]
        assert web.get(f"/api/v1/photos/{id_}/thumbnail").status_code == 200
        (tmp_path / "photos" / "gone.png").unlink()
        assert web.get(f"/api/v1/photos/{id_}/thumbnail").status_code == 200
        original = web.get(f"/api/v1/photos/{id_}/original")
        assert (original.status_code, original.json()["kind"]) == (503, "unavailable")
        like = web.get("/api/v1/search", params={"q": f"photo:{id_}", "all": "true"}).json()
        assert [hit["name"] for hit in like["hits"]] == ["other.png"]


def test_a_query_names_photos_by_number_alone(web: TestClient, photos: Path) -> None:
    ids = numbers(web)
    found = web.get(
        "/api/v1/search", params={"q": f"photo:{ids['copy.png']}", "include_self": "true"}
    ).json()
    assert (found["query"], found["hits"][0]["id"]) == (f"photo:{ids['copy.png']}", ids["copy.png"])
    assert found["hits"][0]["query_photo"] == "itself"
    refused = web.get("/api/v1/search", params={"q": f'a dog AND photo:"{photos}/copy.png"'})
    assert (refused.status_code, refused.json()["column"]) == (400, 11)
    assert refused.json()["remedy"]["text"].startswith("over HTTP a photo is named by its number")
    unknown = web.get("/api/v1/search", params={"q": "photo:999"})
    assert (unknown.status_code, unknown.json()["kind"]) == (404, "not found")


def test_similar_photos_come_with_their_cosine(web: TestClient) -> None:
    ids = numbers(web)
    asked = {"id": ids["copy.png"], "limit": 5}
    found = web.post("/api/v1/similar", json=asked, headers=CHANGE).json()
    assert {hit["id"] for hit in found["hits"]} == set(ids.values()) - {ids["copy.png"]}
    assert all(-1 <= hit["cosine"] <= 1 for hit in found["hits"])
    rest = web.post("/api/v1/similar", json=asked | {"offset": 1}, headers=CHANGE).json()
    assert [hit["id"] for hit in rest["hits"]] == [hit["id"] for hit in found["hits"][1:]]
    (note,) = found["notes"]
    assert note["text"].startswith("mini knows only its own drawings, so what it finds")
    assert note["remedy"]["calls"][0]["name"] == "index"
    upload = web.post("/api/v1/similar", json={"id": "upload-none"}, headers=CHANGE)
    assert upload.status_code == 404

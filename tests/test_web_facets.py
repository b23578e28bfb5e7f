"""Facets, completion, duplicates and tags over HTTP."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from starlette.testclient import TestClient

import sigseek
from tests.served import CHANGE, served


@pytest.fixture(scope="module")
def web(mini_library: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    copy = shutil.copytree(mini_library, tmp_path_factory.mktemp("web") / "library")
    with served(copy) as client:
        yield client


def test_the_term_of_each_value_selects_its_photos(web: TestClient) -> None:
    tagged = {"name": 'a "quoted" tag*', "query": "a house", "give": True}
    assert web.post("/api/v1/tags", json=tagged, headers=CHANGE).status_code == 200
    found = web.get("/api/v1/facets").json()
    assert found["headline"] == "40 photos in the library"
    terms = [(one["query"], one["photos"]) for one in found["values"] if one["query"]]
    assert len(terms) >= 4
    for term, photos in terms:
        assert web.get("/api/v1/facets", params={"q": term}).json()["photos"] == photos
    assert found["by"]["format"] == [
        {"by": "format", "value": "JPEG", "photos": 40, "label": "JPEG", "query": 'format:"JPEG"'}
    ]
    tag = {"name": 'a "quoted" tag*', "query": "", "give": False}
    assert web.post("/api/v1/tags", json=tag, headers=CHANGE).json()["photos"] == 0


def test_a_name_or_a_value_is_completed_at_the_caret(web: TestClient) -> None:
    def texts(q: str, at: int | None = None) -> list[str]:
        asked = {"q": q} | ({"at": at} if at is not None else {})
        answer = web.get("/api/v1/completion", params=asked).json()
        assert answer["end"] >= answer["start"]
        return [one["text"] for one in answer["suggestions"]]

    assert texts("a house ra") == ["rating:"]
    assert texts("a house N") == ["near:", "NOT"]
    assert texts("format:j") == ['format:"JPEG"']
    assert texts("is:und") == ['is:"undated"']
    answer = web.get("/api/v1/completion", params={"q": "format:jp AND a dog", "at": 8}).json()
    assert (answer["start"], answer["end"]) == (0, 9)
    assert answer["suggestions"] == [{"text": 'format:"JPEG"', "label": "JPEG", "photos": 40}]
    assert texts("nonsense:x") == []
    assert {"date:", "is:", "tag:", "photo:"} <= set(texts("")), "all names are told"


def test_tags_are_given_and_taken_by_number_and_by_query(web: TestClient) -> None:
    ids = [hit["id"] for hit in web.get("/api/v1/search", params={"limit": 3}).json()["hits"]]
    given = web.post("/api/v1/tags", json={"name": "mine", "ids": ids}, headers=CHANGE).json()
    assert given == {"label": "mine", "photos": 3, "by_hand": 3}
    more = {"name": "mine", "query": "a house"}
    houses = {hit["id"] for hit in web.get("/api/v1/search?q=a house").json()["hits"]}
    photos = len(houses | set(ids))
    assert web.post("/api/v1/tags", json=more, headers=CHANGE).json()["photos"] == photos
    assert {"label": "mine", "photos": photos, "by_hand": photos} in (
        web.get("/api/v1/tags").json()["tags"]
    )
    taken = {"name": "mine", "ids": ids[:1], "give": False}
    assert web.post("/api/v1/tags", json=taken, headers=CHANGE).json()["photos"] == photos - 1
    unknown = web.post("/api/v1/tags", json={"name": "mine", "ids": [9999]}, headers=CHANGE)
    assert (unknown.status_code, unknown.json()["kind"]) == (404, "not found")


def test_duplicates_have_pictures_and_can_be_kept_apart(web: TestClient) -> None:
    found = web.get("/api/v1/duplicates").json()
    assert (found["total"], found["next"], found["photos"]) == (1, None, 40)
    (group,) = found["groups"]
    assert group["photos"][0]["keep"] is True
    assert group["photos"][0]["thumbnail"].startswith("/api/v1/photos/")
    for folder, status, said in (
        (str(Path(group["photos"][0]["path"]).parent), 200, None),
        ("/none", 404, "no photo of this library is in /none, so it cannot be preferred"),
        ("~", 400, "~ is no absolute path"),
    ):
        preferred = web.get("/api/v1/duplicates", params={"prefer": folder})
        assert (preferred.status_code, preferred.json().get("detail")) == (status, said)
    none = web.get("/api/v1/duplicates", params={"q": "date:1800"}).json()
    assert none["headline"] == 'No photo in the selection: date:"1800"'
    ids = [photo["id"] for photo in group["photos"]]
    decided = web.post("/api/v1/decisions", json={"not_duplicates": ids}, headers=CHANGE)
    assert decided.json() == {"pairs": len(ids) * (len(ids) - 1) // 2}
    assert web.get("/api/v1/duplicates").json()["total"] == 0
    back = {"not_duplicates": ids, "again": True}
    for pairs in (decided.json()["pairs"], 0):
        taken_back = web.post("/api/v1/decisions", json=back, headers=CHANGE)
        assert taken_back.json() == {"pairs": pairs}
    assert web.get("/api/v1/duplicates").json()["total"] == 1


def test_a_read_only_server_changes_nothing(mini_library: Path) -> None:
    with served(mini_library, read_only=True) as web:
        for path, body in (
            ("tags", {"name": "mine", "ids": [1]}),
            ("decisions", {"not_duplicates": [1, 2]}),
        ):
            refused = web.post(f"/api/v1/{path}", json=body, headers=CHANGE)
            assert (refused.status_code, refused.json()["kind"]) == (403, "forbidden")
        assert web.get("/api/v1/status").json()["read_only"] is True
        assert web.get("/api/v1/tags").json() == {"tags": []}


def test_looking_for_duplicates_changes_nothing_on_a_read_only_server(
    drawn: Path, tmp_path: Path
) -> None:
    directory = tmp_path / "library"
    (tmp_path / "photos").mkdir()
    for photo in sorted(drawn.glob("*.jpg"))[:3]:
        shutil.copy(photo, tmp_path / "photos")
    with Image.open(photo) as picture:
        half = picture.resize((picture.width // 2, picture.height // 2))
    half.save(tmp_path / "photos" / "half.png")
    with sigseek.open(directory, model="mini", precision="fp32") as library:
        library.index(tmp_path / "photos")
    before = (directory / "catalog.sqlite").read_bytes()
    with served(directory, read_only=True) as web:
        found = web.get("/api/v1/duplicates").json()
    assert [group["kind"] for group in found["groups"]] == ["near"]
    assert (directory / "catalog.sqlite").read_bytes() == before
    assert not [path for path in directory.glob("catalog.sqlite-wal") if path.stat().st_size]
    with served(directory) as web:
        assert web.get("/api/v1/duplicates").json() == found
    assert (directory / "catalog.sqlite").read_bytes() != before


@pytest.mark.parametrize("number", [0, -1, 2**63, 10**30])
def test_numbers_that_no_photo_can_have_are_refused(web: TestClient, number: int) -> None:
    for path, body in (
        ("tags", {"name": "mine", "ids": [number]}),
        ("zip", {"ids": [number]}),
        ("decisions", {"not_duplicates": [1, number]}),
        ("similar", {"id": number}),
        ("classify", {"ids": [number], "labels": ["a"]}),
    ):
        refused = web.post(f"/api/v1/{path}", json=body, headers=CHANGE)
        assert (refused.status_code, refused.json()["kind"]) == (422, "invalid"), path
    for path in ("search", "duplicates"):
        asked = {"offset": str(10**30)}
        assert web.get(f"/api/v1/{path}", params=asked).status_code == 422


def test_of_many_mistakes_the_first_are_told(web: TestClient) -> None:
    body = {"ids": ["x"] * 10_000}
    refused = web.post("/api/v1/zip", json=body, headers=CHANGE)
    assert refused.status_code == 422
    assert refused.json()["detail"].count("ids.") == 5

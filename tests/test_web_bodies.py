"""Bodies of requests: what is not as described is refused, and not taken for something else."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from tests.served import CHANGE, served

API = "/api/v1"
JSON = {"Content-Type": "application/json"}


@pytest.fixture
def web(mini_library: Path) -> Iterator[TestClient]:
    with served(mini_library) as client:
        client.headers.update(CHANGE)
        yield client


def is_idle(web: TestClient) -> bool:
    state = web.get(f"{API}/index").json()
    return not state["running"] and state["last"] is None


@pytest.mark.parametrize(
    ("path", "body", "name"),
    [
        ("index", {"folder": ["/photos"]}, "folder"),
        ("folders", {"path": "/photos", "name": "a"}, "name"),
        ("similar", {"id": 1, "limt": 3}, "limt"),
        ("tags", {"name": "a", "ids": [1], "Give": False}, "Give"),
        ("decisions", {"not_duplicates": [1, 2], "ids": [1]}, "ids"),
        ("zip", {"ids": [1], "limit": 2}, "limit"),
        ("zip/links", {"ids": [1], "limit": 2}, "limit"),
        ("classify", {"ids": [1], "labels": ["a cat"], "limit": 2}, "limit"),
        ("embed", {"texts": ["a cat"], "model": "mini"}, "model"),
    ],
)
def test_a_field_that_no_request_has_is_told(
    mini_library: Path, tmp_path: Path, path: str, body: dict[str, object], name: str
) -> None:
    """It would otherwise seem to do nothing, and a run would begin over all folders."""
    with served(mini_library, browse=(tmp_path,)) as web:
        answer = web.post(f"{API}/{path}", json=body, headers=CHANGE)
        assert (answer.status_code, answer.json()["kind"]) == (422, "invalid")
        assert answer.json()["detail"] == f"{name}: there is no such field here"
        assert is_idle(web)


@pytest.mark.parametrize("path", ["index", "folders", "tags", "decisions", "zip", "zip/links"])
@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]
)
def test_a_body_that_is_not_json_is_refused(
    mini_library: Path, tmp_path: Path, path: str, kind: str
) -> None:
    with served(mini_library, browse=(tmp_path,)) as web:
        headers = CHANGE | {"Content-Type": kind}
        answer = web.post(f"{API}/{path}", content=b"{}", headers=headers)
        assert (answer.status_code, answer.json()["kind"]) == (415, "unsupported")
        assert answer.json()["detail"] == "the request is not JSON"
        assert answer.json()["remedy"]["text"] == "send it as application/json"
        assert is_idle(web)


@pytest.mark.parametrize("path", ["index", "tags", "similar"])
@pytest.mark.parametrize("body", [b"{wrong", b"[" * 5000, b'{"a": "\xff"}'])
def test_json_that_cannot_be_read_is_refused(web: TestClient, path: str, body: bytes) -> None:
    answer = web.post(f"{API}/{path}", content=body, headers=JSON)
    assert (answer.status_code, answer.json()["kind"]) == (422, "invalid")
    assert answer.json()["detail"] == "the body cannot be read as JSON"
    assert is_idle(web)


@pytest.mark.parametrize(
    ("path", "body", "detail"),
    [
        ("index", b"", "the body: it is missing"),
        ("index", b"null", "the body: it should be a JSON object"),
        ("index", b"[]", "the body: it should be a JSON object"),
        ("index", b'{"folders": null}', "folders: input should be a valid list"),
        ("tags", b"[]", "the body: it should be a JSON object"),
        ("tags", b'{"ids": [1]}', "name: it is missing"),
        ("similar", b"[]", "the body: it should be a JSON object"),
        ("folders", b"{}", "path: it is missing"),
        ("folders", b'{"path": 5}', "path: input should be a valid string"),
    ],
)
def test_a_mistake_in_a_body_is_told_by_the_fields_name(
    mini_library: Path, tmp_path: Path, path: str, body: bytes, detail: str
) -> None:
    with served(mini_library, browse=(tmp_path,)) as web:
        answer = web.post(f"{API}/{path}", content=body, headers=CHANGE | JSON)
        assert (answer.status_code, answer.json()["detail"]) == (422, detail)
        assert is_idle(web)


def test_a_parameter_that_is_named_like_a_part_of_a_request_is_told(web: TestClient) -> None:
    answer = web.delete(f"{API}/folders")
    assert (answer.status_code, answer.json()["detail"]) == (422, "path: it is missing")


@pytest.mark.parametrize(
    ("path", "body", "detail"),
    [
        ("tags", {"name": "a", "ids": [True]}, "ids.0: input should be a valid integer"),
        ("tags", {"name": "a", "ids": ["1"]}, "ids.0: input should be a valid integer"),
        ("tags", {"name": "a", "ids": [1], "give": "no"}, "give: input should be a valid boolean"),
        ("zip", {"ids": [True]}, "ids.0: input should be a valid integer"),
        ("similar", {"id": 1, "limit": True}, "limit: input should be a valid integer"),
        *(
            (
                "similar",
                {"id": id_},
                "id: it should be a photo's number or the name of an upload, upload-TOKEN",
            )
            for id_ in (True, "1", "a.jpg", 1.5, 0, None)
        ),
    ],
)
def test_a_value_of_another_type_is_refused(
    web: TestClient, path: str, body: dict[str, object], detail: str
) -> None:
    """True is no photo, though Python takes it for the number 1."""
    answer = web.post(f"{API}/{path}", content=json.dumps(body), headers=JSON)
    assert (answer.status_code, answer.json()["detail"]) == (422, detail)


@pytest.mark.parametrize(
    ("kind", "body", "status", "detail"),
    [
        ("application/json", b'{"token": "secret"}', 415, "the request is not a form"),
        ("application/x-www-form-urlencoded", b"", 422, "token: it is missing"),
        (
            "application/x-www-form-urlencoded",
            b"token=secret&user=a",
            422,
            "user: there is no such field here",
        ),
    ],
)
def test_a_login_that_is_not_as_described_is_no_wrong_token(
    mini_library: Path, kind: str, body: bytes, status: int, detail: str
) -> None:
    with served(mini_library, token="secret") as web:
        for _ in range(11):
            answer = web.post(f"{API}/login", content=body, headers={"Content-Type": kind})
            assert (answer.status_code, answer.json()["detail"]) == (status, detail)
        assert web.post(f"{API}/login", data={"token": "secret"}).status_code == 204


@pytest.mark.parametrize(
    ("path", "fields", "detail"),
    [
        ("uploads", {"foo": "1"}, "foo: there is no such field here"),
        ("embed", {"texts": "a cat"}, "texts: there is no such field here"),
        ("similar", {"id": "1"}, "id: there is no such field here"),
        ("similar", {"limit": ["1", "2"]}, "limit: input should be a valid integer"),
        ("classify", {"labels": "a cat", "ids": "1"}, "ids: there is no such field here"),
        (
            "classify",
            {"labels": "a cat", "template": ["a {}", "the {}"]},
            "template: input should be a valid string",
        ),
    ],
)
def test_a_field_that_no_form_has_or_that_is_there_twice_is_told(
    web: TestClient, drawn: Path, path: str, fields: dict[str, str], detail: str
) -> None:
    files = {"file": ("a.jpg", (drawn / "scene-00007.jpg").read_bytes())}
    answer = web.post(f"{API}/{path}", files=files, data=fields)
    assert (answer.status_code, answer.json()["detail"]) == (422, detail)


@pytest.mark.parametrize("path", ["uploads", "embed", "similar", "classify"])
def test_a_file_of_another_name_is_told(web: TestClient, path: str) -> None:
    answer = web.post(f"{API}/{path}", files={"fil": ("a.jpg", b"x")}, data={"labels": "a cat"})
    assert answer.status_code == 422
    assert answer.json()["detail"] == "fil: there is no such file here"
    assert answer.json()["remedy"]["text"] == "send pictures as `file`"


def test_a_form_that_is_not_utf8_is_refused(web: TestClient) -> None:
    body = b'--x\r\nContent-Disposition: form-data; name="labels"\r\n\r\n\xff\r\n--x--\r\n'
    kind = {"Content-Type": "multipart/form-data; boundary=x"}
    answer = web.post(f"{API}/classify", content=body, headers=kind)
    assert (answer.status_code, answer.json()["detail"]) == (
        422,
        "a field of the form is not UTF-8",
    )

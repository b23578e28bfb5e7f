"""Searching over HTTP."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

import sigseek
from sigseek.errors import Option, Remedy
from sigseek.results import record_fields
from sigseek.web.remedies import spelled
from tests.served import served

OF_HTTP = {"name", "folder", "format", "color", "thumbnail", "original", "shown_as"}


@pytest.fixture(scope="module")
def web(mini_library: Path) -> Iterator[TestClient]:
    with served(mini_library) as client:
        yield client


def test_hits_are_those_of_python(web: TestClient, mini_library: Path) -> None:
    answer = web.get("/api/v1/search", params={"q": "a house"}).json()
    with sigseek.open(mini_library, model="mini", precision="fp32") as library:
        found = library.search("a house", 50)
    assert answer["query"] == '"a house"'
    assert answer["headline"] == "4 photos match"
    assert answer["matches"] == len(found) == 4
    expected = [json.loads(sigseek.results.json_line(hit)) for hit in found]
    assert [
        {k: v for k, v in hit.items() if k not in OF_HTTP} for hit in answer["hits"]
    ] == expected
    (hit, *_) = answer["hits"]
    assert set(hit) == set(record_fields(found[0])) | OF_HTTP
    assert hit["name"] == Path(found[0].path).name
    assert hit["folder"] == str(Path(found[0].path).parent)
    assert hit["format"] == "JPEG"
    assert hit["shown_as"] == "original"
    assert answer["best"]["id"] == hit["id"]


def test_nothing_said_of_an_answer_names_a_parameter_of_the_request(web: TestClient) -> None:
    for query in ("a house", "a house AND a dog", "a zebra"):
        answer = web.get("/api/v1/search", params={"q": query, "limit": 2}).json()
        said = [answer["headline"], *answer["legend"]]
        assert not [line for line in said if "=" in line], said
    (legend,) = web.get("/api/v1/search", params={"q": "a house"}).json()["legend"]
    assert legend.endswith("a maybe from 0.1 on; 40 photos searched")


def test_without_a_query_all_photos_are_listed_newest_first(web: TestClient) -> None:
    answer = web.get("/api/v1/search", params={"limit": 3}).json()
    assert answer["headline"] == "40 photos in the library"
    assert answer["query"] == ""
    assert len(answer["hits"]) == 3
    assert answer["next"]


def test_pages_of_five_joined_are_one_page_of_fifty(web: TestClient) -> None:
    for asked in ({"q": "a house", "all": "true"}, {"q": ""}, {"q": "format:jpeg", "sort": "path"}):
        whole = web.get("/api/v1/search", params=asked | {"limit": 50}).json()
        parts, page = [], {}
        while True:
            answer = web.get("/api/v1/search", params=asked | page | {"limit": 5}).json()
            parts += answer["hits"]
            if answer["next"] is None:
                break
            page = {"page": answer["next"]}
        assert len(parts) == 40
        assert parts == whole["hits"]


def test_lines_hold_the_hits_and_then_the_answer(web: TestClient) -> None:
    asked = {"q": "a house"}
    lines = web.get("/api/v1/search", params=asked, headers={"Accept": "application/x-ndjson"})
    *hits, last = map(json.loads, lines.text.splitlines())
    answer = web.get("/api/v1/search", params=asked).json()
    assert hits == answer.pop("hits")
    assert last == {"answer": answer}


@pytest.mark.parametrize(
    ("accept", "lines"),
    [
        ("application/x-ndjson", True),
        ("Application/X-NDJSON; q=0.5", True),
        ("application/json, application/x-ndjson", True),
        ("application/x-ndjson, */*;q=0.8", True),
        ("application/x-ndjson;q=0", False),
        ("application/json, application/x-ndjson;q=0.1", False),
        ("application/x-ndjson;q=0.5, */*", False),
        ("*/*", False),
        ("image/png", False),
        ("", False),
    ],
)
def test_lines_come_where_they_are_wanted_rather_than_json(
    web: TestClient, accept: str, lines: bool
) -> None:
    response = web.get("/api/v1/search?limit=1", headers={"Accept": accept})
    kind = "application/x-ndjson" if lines else "application/json"
    assert response.headers["content-type"].partition(";")[0] == kind
    assert response.headers["vary"] == "Accept"


@pytest.mark.parametrize(
    ("path", "method", "allowed"),
    [
        ("tags", "OPTIONS", "GET, HEAD, POST"),
        ("index", "PUT", "GET, HEAD, POST, DELETE"),
        ("zip", "GET", "POST"),
        ("events", "HEAD", "GET"),
        ("photos/1/original", "POST", "GET, HEAD"),
        ("openapi.json", "POST", "GET, HEAD"),
        ("../../page/look.css", "POST", "GET, HEAD"),
    ],
)
def test_all_methods_of_an_address_are_told(
    web: TestClient, path: str, method: str, allowed: str
) -> None:
    response = web.request(method, f"/api/v1/{path}", headers={"X-Sigseek": "1"})
    assert (response.status_code, response.headers["allow"]) == (405, allowed)


def test_an_error_of_a_query_tells_its_column(web: TestClient) -> None:
    response = web.get("/api/v1/search", params={"q": "a dog AND"})
    assert response.status_code == 400
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert problem["type"] == "urn:sigseek:invalid"
    assert problem["kind"] == "invalid"
    assert problem["column"] == 7
    assert problem["detail"] == "AND at the end of the query"
    assert problem["remedy"] == {
        "text": 'a term is expected after it, or quote the word: "AND"',
        "calls": [],
    }
    problem = web.get("/api/v1/search", params={"q": "photo:1 a dog; a cat"}).json()
    assert problem["detail"] == "a dog; a cat right after another term"
    assert problem["remedy"]["text"].startswith("write AND, OR or NOT")


@pytest.mark.parametrize(
    ("q", "part"),
    [
        ("rating:9 a cat", "9"),
        ('place:"Nar nia" a cat', '"Nar nia"'),
        ('photo:"a b" a cat', 'photo:"a b"'),
        ("a cat) or a dog", ")"),
        ("(a cat", "("),
        ("a dog^x b", "^x"),
        ("a AND OR b", "OR"),
        ('a "cat and dog', '"cat and dog'),
        ("tag:nope AND a cat", "nope"),
    ],
)
def test_an_error_is_about_a_part_and_not_about_the_rest_of_the_query(
    web: TestClient, q: str, part: str
) -> None:
    problem = web.get("/api/v1/search", params={"q": q}).json()
    start = problem["column"] - 1
    assert q[start : start + problem["length"]] == part


def test_parameters_out_of_range_are_problems(web: TestClient) -> None:
    response = web.get("/api/v1/search", params={"limit": 0})
    assert response.status_code == 422
    assert response.json()["detail"] == "limit: input should be greater than or equal to 1"
    nothing = web.get("/api/v1/nothing").json()
    described = "the API is described at /api/v1/openapi.json"
    assert (nothing["kind"], nothing["remedy"]["text"]) == ("not found", described)


@pytest.mark.parametrize(
    ("asked", "name", "remedy"),
    [
        ("search?q=a+house&limt=2", "limt", "write limit"),
        ("search/layout?Sort=date", "Sort", "write sort"),
        ("search?limit=2&model=mini", "model", "the API is described at /api/v1/openapi.json"),
        ("tags?limit=2", "limit", "the API is described at /api/v1/openapi.json"),
        ("photos/1/thumbnail?sise=320", "sise", "write size"),
        ("health/live?since=1", "since", "the API is described at /api/v1/openapi.json"),
    ],
)
def test_a_parameter_that_no_route_has_is_told(
    web: TestClient, asked: str, name: str, remedy: str
) -> None:
    """It would otherwise seem to do nothing."""
    response = web.get(f"/api/v1/{asked}")
    problem = response.json()
    assert (response.status_code, problem["kind"]) == (422, "invalid")
    assert problem["detail"] == f"{name}: there is no such parameter here"
    assert problem["remedy"]["text"] == remedy


@pytest.mark.parametrize(
    "asked",
    ["search?q=a&q=b", "search/layout?sort=date&sort=path", "photos/1/thumbnail?size=320&size=320"],
)
def test_a_parameter_that_is_there_twice_is_told(web: TestClient, asked: str) -> None:
    """Only one of them would count."""
    response = web.get(f"/api/v1/{asked}")
    name = asked.partition("?")[2].partition("=")[0]
    assert (response.status_code, response.json()["kind"]) == (422, "invalid")
    assert response.json()["detail"] == f"{name}: it is there 2 times"
    assert web.get("/api/v1/duplicates?kinds=near&kinds=alike").status_code == 200


@pytest.mark.parametrize("path", ["search", "search/layout", "facets", "completion", "duplicates"])
@pytest.mark.parametrize("typed", ["%ff%fe", "%ED%A0%80", "a+h%f6use"])
def test_a_query_that_is_not_utf8_is_refused(web: TestClient, path: str, typed: str) -> None:
    """It was searched with a replacement character in the place of each wrong byte."""
    response = web.get(f"/api/v1/{path}?q={typed}")
    assert (response.status_code, response.json()["kind"]) == (422, "invalid")
    assert response.json()["detail"] == "the query is not UTF-8"
    assert web.get("/api/v1/search?q=h%C3%B6use+%EF%BF%BD").status_code == 200


def test_an_option_that_no_request_has_is_written_as_on_the_command_line() -> None:
    options = Option("include_all", True), Option("model", "mini"), Option("limit")
    text = spelled(Remedy("{}, {}, {}", options), lambda step: f"--{step.name}")  # type: ignore[union-attr]
    assert text == "all=true, --model, limit"


def test_requests_that_cannot_be_read_are_told_in_words(web: TestClient) -> None:
    changes = {"X-Sigseek": "1", "Content-Type": "application/json"}
    unread = web.post("/api/v1/tags", content="{wrong", headers=changes)
    assert (unread.status_code, unread.json()["detail"]) == (422, "the body cannot be read as JSON")
    twice = web.post("/api/v1/zip", json={"ids": [1], "query": ""}, headers=changes)
    assert twice.json()["detail"] == "the request names photos in two ways"
    described = "the API is described at /api/v1/openapi.json"
    unknown = web.put("/api/v1/tags", headers=changes)
    assert unknown.status_code == 405
    assert unknown.json()["detail"] == "this address does not answer PUT"
    assert unknown.json()["remedy"]["text"] == described
    nul = web.post("/api/v1/tags", json={"name": "a\0b", "ids": [1]}, headers=changes)
    assert (nul.status_code, nul.json()["remedy"]["text"]) == (400, "write it without")

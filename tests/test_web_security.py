"""Who may ask the web server, and what it tells whom."""

import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from starlette.testclient import TestClient

import sigseek
from sigseek.web.security import CONTENT_SECURITY_POLICY
from sigseek.web.tokens import Tokens
from tests.served import CHANGE, served

ELSEWHERE = ("192.0.2.7", 50_000)


@pytest.fixture(scope="module")
def web(mini_library: Path) -> Iterator[TestClient]:
    with served(mini_library) as client:
        yield client


@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1.evil.example:7333", "localhost:8000", "localhost@evil.example",
     "[::2]:7333", "", "a b", "localhost:x", "localhost/evil"],
)  # fmt: skip
def test_other_names_for_this_machine_are_refused(web: TestClient, host: str) -> None:
    refused = web.get("/api/v1/search", headers={"Host": host})
    assert (refused.status_code, refused.json()["kind"]) == (421, "misdirected")


@pytest.mark.parametrize("host", ["localhost:7333", "127.0.0.1", "[::1]:7333", "LOCALHOST:7333"])
def test_the_names_of_this_machine_are_known(web: TestClient, host: str) -> None:
    assert web.get("/api/v1/health/live", headers={"Host": host}).status_code == 200


def test_every_address_is_known_where_all_are_listened_on(mini_library: Path) -> None:
    with served(mini_library, host="0.0.0.0", token="secret") as web:
        bearer = {"Authorization": "Bearer secret"}
        for host, status in (("192.168.1.5:7333", 200), ("photos.example:7333", 421)):
            answer = web.get("/api/v1/status", headers=bearer | {"Host": host})
            assert answer.status_code == status


def test_a_page_of_another_site_reads_and_changes_nothing(web: TestClient) -> None:
    body = {"name": "mine", "ids": [1]}
    for headers in (
        {},
        CHANGE | {"Origin": "http://evil.example"},
        CHANGE | {"Origin": "null"},
        CHANGE | {"Origin": "http://127.0.0.1:8000"},
        CHANGE | {"Sec-Fetch-Site": "cross-site"},
        CHANGE | {"Sec-Fetch-Site": "same-site"},
        {"X-Sigseek": "2"},
    ):
        refused = web.post("/api/v1/tags", json=body, headers=headers)
        assert (refused.status_code, refused.json()["kind"]) == (403, "forbidden"), headers
    assert web.get("/api/v1/tags").json() == {"tags": []}
    foreign = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}
    for path in ("/api/v1/photos/1/thumbnail", "/api/v1/search", "/page/look.css", "/"):
        assert web.get(path, headers=foreign).status_code == 403
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert web.get("/?q=a+house", headers=link).status_code == 200
    assert web.get("/api/v1/photos/1/original", headers=link).status_code == 403


@pytest.mark.parametrize("path", ["/", "/page/look.css", "/api/v1/status", "/api/v1/nothing"])
def test_every_answer_has_the_headers_of_security(web: TestClient, path: str) -> None:
    headers = web.get(path).headers
    assert headers["content-security-policy"] == CONTENT_SECURITY_POLICY
    assert "unsafe" not in CONTENT_SECURITY_POLICY
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-frame-options"] == "DENY"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert "access-control-allow-origin" not in headers
    assert "server" not in headers


def test_a_token_is_needed_for_everything_but_the_login(mini_library: Path) -> None:
    with served(mini_library, token="secret") as web:
        for path in ("/api/v1/status", "/api/v1/search", "/api/v1/photos/1/thumbnail",
                     "/api/v1/openapi.json", "/api/v1/health/ready"):  # fmt: skip
            refused = web.get(path)
            assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
            assert web.get(path, headers={"Authorization": "Bearer Secret"}).status_code == 401
            assert web.get(path, headers={"Authorization": "Basic secret"}).status_code == 401
        assert web.get("/").headers["location"] == "/login"
        assert web.get("/?q=a+dog").headers["location"] == "/login?q=a+dog"
        for path in ("/login", "/page/look.css", "/api/v1/health/live"):
            assert web.get(path).status_code == 200
        assert web.get("/api/v1/tags", headers={"Authorization": "bearer secret"}).json() == {
            "tags": []
        }


def test_a_login_sets_a_strict_cookie_until_the_logout(mini_library: Path) -> None:
    with served(mini_library, token="secret") as web:
        assert web.post("/api/v1/login", data={"token": "wrong"}).status_code == 401
        done = web.post("/api/v1/login", data={"token": "secret"})
        assert done.status_code == 204
        cookie = done.headers["set-cookie"].lower()
        assert cookie.startswith("sigseek=")
        assert {"httponly", "samesite=strict", "path=/"} <= set(cookie.split("; "))
        assert "secret" not in cookie
        assert web.get("/api/v1/status").status_code == 200
        kept = dict(web.cookies)
        assert web.post("/api/v1/logout", headers=CHANGE).status_code == 204
        web.cookies.update(kept)
        assert web.get("/api/v1/status").status_code == 401
        form = {"Accept": "text/html"}
        assert web.post("/api/v1/login", data={"token": "x"}, headers=form).headers["location"] == (
            "/login?wrong=1"
        )
        done = web.post("/api/v1/login", data={"token": "secret"}, headers=form)
        assert (done.status_code, done.headers["location"]) == (303, "/")


def test_a_thousand_wrong_tokens_are_soon_not_looked_at(mini_library: Path) -> None:
    with served(mini_library, token="secret") as web:
        found = [
            web.get("/api/v1/tags", headers={"Authorization": f"Bearer {number}"}).status_code
            for number in range(1000)
        ]
        assert (found.count(401), found.count(429)) == (10, 990)
        right = web.get("/api/v1/tags", headers={"Authorization": "Bearer secret"})
        assert right.status_code == 429
        assert 1 <= int(right.headers["retry-after"]) <= 60
        assert web.post("/api/v1/login", data={"token": "secret"}).status_code == 429


def test_tries_are_forgotten_after_a_minute() -> None:
    now = [0.0]
    tokens = Tokens("secret", lambda: now[0])
    for second in range(10):
        now[0] = float(second)
        assert not tokens.fits("wrong", "a")
    assert tokens.seconds_to_wait("a") == 51
    assert tokens.seconds_to_wait("b") == 0
    now[0] = 60.5
    assert tokens.seconds_to_wait("a") == 0
    assert tokens.fits("secret", "a")


def test_callers_elsewhere_see_no_absolute_path(mini_library: Path, drawn: Path) -> None:
    with served(mini_library, client=ELSEWHERE) as web:
        bodies = [
            web.get(path, params=params).text
            for path, params in (
                ("/api/v1/search", {"q": "a house"}),
                ("/api/v1/status", {}),
                ("/api/v1/facets", {}),
                ("/api/v1/photos/1", {}),
                ("/api/v1/duplicates", {}),
                ("/api/v1/search", {"q": "in:nowhere"}),
                ("/api/v1/completion", {"q": "in:"}),
            )
        ]
        (hit, *_) = web.get("/api/v1/search", params={"q": "a house"}).json()["hits"]
        assert hit["path"] == f"{drawn.name}/{hit['name']}"
        lines = web.get("/api/v1/search", headers={"Accept": "application/x-ndjson"}).text
    for body in (*bodies, lines):
        assert str(drawn.parent) not in body
        assert str(mini_library) not in body
        assert str(Path.home()) not in body
    assert any(drawn.name in body for body in bodies)


def test_paths_are_told_on_this_machine_and_on_request(mini_library: Path, drawn: Path) -> None:
    asked = {"q": "a house", "limit": "1"}
    with served(mini_library) as web:
        (hit,) = web.get("/api/v1/search", params=asked).json()["hits"]
        assert hit["folder"] == str(drawn)
        behind_a_proxy = {"X-Forwarded-For": "192.0.2.7"}
        (hit,) = web.get("/api/v1/search", params=asked, headers=behind_a_proxy).json()["hits"]
        assert hit["folder"] == drawn.name
    with served(mini_library, client=ELSEWHERE, show_paths=True) as web:
        (hit,) = web.get("/api/v1/search", params=asked).json()["hits"]
        assert hit["folder"] == str(drawn)


TRAVERSALS = ["../../../../etc/passwd", "..\\..\\secret", "/etc/passwd", "file:///etc/passwd"]


@pytest.mark.parametrize("typed", TRAVERSALS)
def test_no_parameter_opens_a_path(web: TestClient, typed: str) -> None:
    once, twice = quote(typed, safe=""), quote(quote(typed, safe=""), safe="")
    for way in (typed.lstrip("/"), once, twice):
        for path in (f"/page/{way}", f"/api/v1/photos/{way}", f"/api/v1/photos/{way}/original",
                     f"/api/v1/photos/{way}/thumbnail", f"/{way}"):  # fmt: skip
            answer = web.get(path)
            assert answer.status_code in (400, 404, 422), path
            assert "root:" not in answer.text
    for name in ("q", "page", "sort", "v", "size", "ids", "by", "at"):
        for path in ("search", "search/layout", "facets", "photos", "completion", "duplicates",
                     "photos/1/thumbnail", "photos/1/original"):  # fmt: skip
            answer = web.get(f"/api/v1/{path}", params={name: typed})
            assert answer.status_code < 500
            assert b"root:" not in answer.content
    quoted = '"' + typed.replace("\\", "\\\\") + '"'
    refused = web.get("/api/v1/search", params={"q": f"photo:{quoted}"})
    assert (refused.status_code, refused.json()["column"]) == (400, 1)


def test_no_request_leaves(mini_library: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def refuse(self: socket.socket, address: object) -> None:
        asked.append(address)
        raise OSError("no connection in this test")

    with served(mini_library) as web:
        monkeypatch.setattr(socket.socket, "connect", refuse)
        monkeypatch.setattr(socket.socket, "connect_ex", refuse)
        for path in ("/", "/login", "/api/v1/search?q=a+house", "/api/v1/facets",
                     "/api/v1/photos/1/thumbnail", "/api/v1/photos/1/derived",
                     "/api/v1/duplicates", "/api/v1/health/ready", "/api/v1/completion?q=n",
                     "/api/v1/openapi.json", "/api/v1/search/layout"):  # fmt: skip
            assert web.get(path).status_code == 200
    assert asked == []


def test_the_page_and_the_api_tell_nothing_of_queries_in_logs(
    mini_library: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", "sigseek.web")
    with served(mini_library) as web:
        web.get("/api/v1/search", params={"q": "a very private question"})
        assert "private" not in caplog.text
    with served(mini_library, access_log=True) as web:
        web.get("/api/v1/search", params={"q": "private"})
        assert "GET /api/v1/search?q=private 200" in caplog.text


def test_a_library_that_cannot_be_read_is_a_problem(tmp_path: Path) -> None:
    with sigseek.open(tmp_path / "none", model="mini"), served(tmp_path / "none") as web:
        for path in ("search", "status", "facets", "photos/1"):
            answer = web.get(f"/api/v1/{path}")
            assert (answer.status_code, answer.json()["kind"]) == (404, "not found")
        assert web.get("/api/v1/health/ready").status_code == 503
        assert web.get("/api/v1/health/live").json() == {"live": True}


def test_a_head_is_answered_as_a_get_without_its_body(mini_library: Path) -> None:
    with served(mini_library) as web:
        for path in ("/", "/api/v1/photos/1/original", "/api/v1/health/live"):
            asked, told = web.head(path), web.get(path)
            assert asked.status_code == told.status_code == 200
            assert asked.headers["content-length"] == told.headers["content-length"]
        assert web.head("/api/v1/photos/987654").status_code == 404
        assert web.head("/api/v1/zip").status_code == 405
        assert web.head("/api/v1/events").status_code == 405

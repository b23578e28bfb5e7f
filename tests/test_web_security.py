"""Who may ask the web server, and what it tells whom."""

import asyncio
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from fastapi import Request
from starlette.testclient import TestClient
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

import sigseek
from sigseek.results import json_line
from sigseek.web.answers import shortener
from sigseek.web.app import make_app
from sigseek.web.security import CONTENT_SECURITY_POLICY, address_of
from sigseek.web.server import _addresses_of, serve
from sigseek.web.settings import Settings
from sigseek.web.tokens import Tokens
from tests.served import CHANGE, listening, served

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
        own = socket.gethostname()
        for host, status in (
            ("192.168.1.5:7333", 200), (f"{own}:7333", 200), (f"{own}.local:7333", 200),
            ("photos.example:7333", 421), (f"{own}.example:7333", 421),
        ):  # fmt: skip
            answer = web.get("/api/v1/status", headers=bearer | {"Host": host})
            assert answer.status_code == status
            assert ("--allowed-host" in answer.text) is (status == 421)


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
        assert refused.json()["remedy"], headers
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
                     "/api/v1/openapi.json"):  # fmt: skip
            refused = web.get(path)
            assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
            assert web.get(path, headers={"Authorization": "Bearer Secret"}).status_code == 401
            assert web.get(path, headers={"Authorization": "Basic secret"}).status_code == 401
        led = web.get("/")
        assert (led.headers["location"], led.json()["kind"]) == ("/login", "unauthorized")
        assert led.json()["remedy"]["text"] == "log in at /login"
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
        assert cookie.startswith("sigseek-")
        assert {"httponly", "samesite=strict", "path=/"} <= set(cookie.split("; "))
        assert "secret" not in cookie
        assert web.get("/api/v1/status").status_code == 200
        kept = dict(web.cookies)
        assert web.post("/api/v1/logout", headers=CHANGE).status_code == 204
        web.cookies.update(kept)
        assert web.get("/api/v1/status").status_code == 401
        form = {"Accept": "text/html"}
        wrong = web.post("/api/v1/login", data={"token": "x"}, headers=form)
        assert (wrong.status_code, wrong.headers["location"]) == (303, "/login#wrong")
        said = f"{wrong.json()['detail']}. {wrong.json()['remedy']['text']}."
        assert said.lower() in web.get("/login").text.lower()
        done = web.post("/api/v1/login", data={"token": "secret"}, headers=form)
        assert (done.status_code, done.headers["location"]) == (303, "/")


def test_a_login_holds_at_every_server_with_the_token(mini_library: Path) -> None:
    with (
        served(mini_library, token="secret") as web,
        served(mini_library, token="secret", port=7334) as other,
        served(mini_library, token="another", port=7335) as foreign,
    ):
        web.post("/api/v1/login", data={"token": "secret"})
        cookies = "; ".join(f"{name}={value}" for name, value in web.cookies.items())
        asked = {"Cookie": cookies, "Host": "localhost"}
        assert other.get("/api/v1/status", headers=asked).status_code == 200
        assert foreign.get("/api/v1/status", headers=asked).status_code == 401
        there = {"Host": "localhost"}
        done = foreign.post("/api/v1/login", data={"token": "another"}, headers=there)
        assert done.status_code == 204
        assert not set(web.cookies) & set(foreign.cookies)


def test_a_login_ends_after_thirty_days_and_cannot_be_made_longer() -> None:
    now = [1_800_000_000.0]
    tokens = Tokens("secret", now=lambda: now[0])
    login = tokens.log_in()
    until, rest = login.split(".", 1)
    assert int(until) == 1_800_000_000 + 30 * 24 * 3600
    assert tokens.knows(login)
    for forged in (f"{int(until) + 1}.{rest}", login[:-1], f".{rest}", "", ".", "name."):
        assert not tokens.knows(forged), forged
    now[0] += 30 * 24 * 3600
    assert not tokens.knows(login)


def test_the_names_of_a_proxy_are_known(mini_library: Path) -> None:
    with served(mini_library, token="secret", allowed_hosts=("Photos.example.org",)) as web:
        bearer = CHANGE | {"Authorization": "Bearer secret"}
        for host, status in (("photos.example.org", 200), ("photos.example.org:8443", 200),
                             ("x.photos.example.org", 421), ("example.org", 421)):  # fmt: skip
            asked = bearer | {"Host": host, "Origin": f"https://{host}"}
            assert web.get("/api/v1/tags", headers=asked).status_code == status
            change = web.post("/api/v1/logout", headers=asked)
            assert change.status_code == (204 if status == 200 else 421)
        foreign = bearer | {"Host": "photos.example.org", "Origin": "https://evil.example"}
        assert web.post("/api/v1/tags", json={}, headers=foreign).status_code == 403


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"allowed_hosts": ("photos.example.org",)}, "everybody who reaches photos.example.org"),
        ({"proxies": ("10.0.0.1/24",)}, "10.0.0.1/24 is not the address of a proxy"),
        ({"proxies": ("nginx",)}, "nginx is not the address of a proxy"),
        ({"token": "a", "allowed_hosts": ("a.example:443",)}, "a.example:443 is not the name of a"),
        ({"token": "a", "allowed_hosts": ("https://a.example",)}, "not the name of a host; give"),
        ({"token": "a", "allowed_hosts": ("*.example.org",)}, "is not the name of a host; give"),
    ],
)
def test_settings_that_let_too_many_in_are_refused(
    mini_library: Path, settings: dict[str, Any], words: str
) -> None:
    with (
        sigseek.open(mini_library) as library,
        pytest.raises(sigseek.SigseekError, match=words),
    ):
        serve(library, Settings(port=0, **settings), lambda address: None)


def test_callers_behind_a_known_proxy_are_told_apart(mini_library: Path) -> None:
    def wrong_tries(address: str, library: sigseek.Library, **settings: Any) -> int:
        with listening(library, token="secret", **settings) as client:
            for number in range(10):
                wrong = {"Authorization": f"Bearer {number}", "X-Forwarded-For": "192.0.2.7"}
                client.get("tags", headers=wrong)
            right = {"Authorization": "Bearer secret", "X-Forwarded-For": address}
            return client.get("tags", headers=right).status_code

    with sigseek.open(mini_library, model="mini") as library:
        assert wrong_tries("192.0.2.8", library, proxies=("127.0.0.0/8",)) == 200
        assert wrong_tries("192.0.2.7", library, proxies=("127.0.0.1",)) == 429
        assert wrong_tries("192.0.2.8", library, proxies=("10.0.0.1",)) == 429


@pytest.mark.parametrize(
    ("shown", "proxies", "known"),
    [
        ("10.0.0.5", ("10.0.0.5",), True),
        ("::ffff:10.0.0.5", ("10.0.0.5",), True),
        ("::ffff:10.0.0.5", ("10.0.0.0/24",), True),
        ("::ffff:10.0.1.5", ("10.0.0.0/24",), False),
        ("fd00::5", ("fd00::/64",), True),
    ],
)
def test_proxies_are_known_however_a_connection_shows_them(
    shown: str, proxies: tuple[str, ...], known: bool
) -> None:
    """A server that listens on :: shows addresses of IPv4 within those of IPv6."""
    seen = []

    async def note(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["client"][0])

    app = ProxyHeadersMiddleware(note, _addresses_of(proxies))
    headers = [(b"x-forwarded-for", b"192.0.2.7")]
    scope: Any = {"type": "http", "client": (shown, 1), "headers": headers}
    asyncio.run(app(scope, None, None))  # type: ignore[arg-type]
    assert seen == ["192.0.2.7" if known else shown]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.7", "192.0.2.7", True),
        ("192.0.2.7", "192.0.2.8", False),
        ("192.0.2.7", "::ffff:192.0.2.7", True),
        ("::ffff:192.0.2.7", "::ffff:192.0.2.8", False),
        ("2001:db8::1:2:3:4", "2001:db8::5:6:7:8", True),
        ("2001:db8:0:1::1", "2001:db8:0:2::1", False),
        ("testclient", "testclient", True),
    ],
)
def test_addresses_of_one_ipv6_network_count_as_one(one: str, other: str, same: bool) -> None:
    assert (address_of({"client": (one, 1)}) == address_of({"client": (other, 1)})) is same


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
    with served(mini_library, token="secret", allowed_hosts=("photos.example.org",)) as web:
        own = {"Authorization": "Bearer secret"}
        for host, folder in (("localhost", str(drawn)), ("photos.example.org", drawn.name)):
            # Not every proxy on this machine adds a header.
            (hit,) = web.get("/api/v1/search", params=asked, headers=own | {"Host": host}).json()[
                "hits"
            ]
            assert hit["folder"] == folder
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


def test_a_mistake_of_the_program_has_the_headers_of_security_and_is_logged(
    mini_library: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(library: sigseek.Library) -> None:
        raise RuntimeError("a mistake")

    with served(mini_library) as web:
        monkeypatch.setattr(sigseek.Library, "tags", fail)
        answer = web.get("/api/v1/tags")
    assert (answer.status_code, answer.json()["kind"]) == (500, "damaged")
    assert answer.headers["content-security-policy"] == CONTENT_SECURITY_POLICY
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "RuntimeError" not in answer.text
    assert "RuntimeError: a mistake" in caplog.text


def test_a_login_counts_beside_cookies_of_other_programs(mini_library: Path) -> None:
    with served(mini_library, token="secret") as web:
        web.post("/api/v1/login", data={"token": "secret"})
        ((name, login),) = web.cookies.items()
        web.cookies.clear()
        cookies = f'other={{"a": [1, "b c"]}}; @x; sigseek-12345678=other; {name}={login}'
        assert web.get("/api/v1/status", headers={"Cookie": cookies}).status_code == 200


def test_a_login_behind_a_proxy_with_tls_is_sent_back_over_tls_alone(mini_library: Path) -> None:
    with served(mini_library, token="secret") as web:
        for headers, secure in (({}, False), ({"X-Forwarded-Proto": "https"}, True)):
            done = web.post("/api/v1/login", data={"token": "secret"}, headers=headers)
            assert ("secure" in done.headers["set-cookie"].lower().split("; ")) is secure


def test_a_token_may_have_any_letters(mini_library: Path) -> None:
    with served(mini_library, token="Schlüssel") as web:
        bearer = {"Authorization": "Bearer Schlüssel".encode()}
        assert web.get("/api/v1/status", headers=bearer).status_code == 200


JSON, FORM = "application/json", "multipart/form-data; boundary=x"
READ_OTHERWISE = ((JSON, "login"), (FORM, "classify"), (FORM, "similar"))
"""The login reads forms alone, and forms with files may be larger."""


@pytest.mark.parametrize("path", ["login", "tags", "zip", "decisions", "classify", "similar"])
def test_no_body_is_larger_than_it_may_be(mini_library: Path, path: str) -> None:
    def parts() -> Iterator[bytes]:  # without a length
        for _ in range(90):
            yield bytes(100_000)

    with served(mini_library) as web:
        for kind in (JSON, FORM):
            for body in (bytes(9_000_000), parts()):
                headers = CHANGE | {"Content-Type": kind}
                if (kind, path) in READ_OTHERWISE:
                    continue
                refused = web.post(f"/api/v1/{path}", content=body, headers=headers)
                assert (refused.status_code, refused.json()["kind"]) == (413, "too large")
                assert refused.json()["detail"] == "the request has more than 8 MB"


@pytest.mark.parametrize("before", ["", "found:\n", "\t", '"', "(", "in "])
@pytest.mark.parametrize("behind", ["", "/a.jpg", ".", ". Then", '"', ")", "\n", ", "])
def test_paths_are_shortened_wherever_they_stand(
    mini_library: Path, drawn: Path, tmp_path: Path, before: str, behind: str
) -> None:
    with sigseek.open(mini_library, model="mini") as library:
        app = make_app(library, Settings(browse=(tmp_path,)))
        asked = Request({"type": "http", "app": app, "client": ELSEWHERE, "headers": []})
        shorten = shortener(asked)
    for path in (drawn, tmp_path):
        told = json.loads(shorten(json_line({"text": f"{before}{path}{behind}"})))
        assert told == {"text": f"{before}{path.name}{behind}"}
    other = {"text": f"{drawn}-other"}
    assert json.loads(shorten(json_line(other))) == other


def test_a_line_of_the_log_is_one_request(
    mini_library: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "sigseek.web.access")
    with served(mini_library, access_log=True) as web:
        web.get("/a%0A127.0.0.1%20GET%20/b")
    assert "/a%0A127.0.0.1%20GET%20/b 404" in caplog.text


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

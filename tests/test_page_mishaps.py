"""Mishaps on the page, in a browser: late answers, second presses, and texts that are hostile."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route

from tests.browser import MISSING, found_browser
from tests.photos import picture
from tests.test_page_browser import (
    Served,
    Window,
    chromium,
    context,
    new_context,
    page,
    search,
    served,
    wait_for_photos,
    wait_for_title,
    window,
)

pytestmark = [
    pytest.mark.skipif(found_browser() is None, reason=MISSING),
]
__all__ = ["chromium", "context", "page", "served", "window"]


def test_an_answer_is_not_covered_by_suggestions_that_come_late(page: Page) -> None:
    page.goto("/")
    wait_for_photos(page)
    page.locator("#query").press_sequentially("camer", delay=5)
    page.keyboard.press("Enter")
    page.wait_for_url("**/?q=camer")
    page.wait_for_timeout(800)
    assert not page.is_visible("#suggestions")


def test_the_title_is_that_of_the_view(page: Page) -> None:
    page.goto("/?q=a+house")
    wait_for_photos(page)
    page.click("nav a[data-view=library]")
    page.locator(".folder").first.wait_for()
    assert page.title() == "Library · sigseek"
    page.go_back()
    page.wait_for_selector(".tile")
    assert page.title() == "a house · sigseek"


def test_the_column_of_an_error_is_right_after_spaces(window: Window) -> None:
    page = window.page
    page.goto("/")
    marks = []
    for query in ("a dog AND", "     a dog AND"):
        search(page, query)
        page.locator(".query-error-text", has_text="AND at the end").wait_for()
        box = page.locator(".query-error-mark").bounding_box()
        assert box
        marks.append(box["x"])
        page.fill("#query", "")
        page.locator(".query-error").wait_for(state="hidden")
    assert marks[0] == marks[1]
    window.errors = [text for text in window.errors if "400" not in text]


def test_photos_that_only_come_nearest_are_those_that_are_packed(page: Page) -> None:
    page.goto("/?q=a+zebra")
    wait_for_title(page, "come nearest")
    page.locator(".tile a").first.focus()
    page.keyboard.press("Space")
    page.get_by_text("Select all").click()
    with page.expect_request("**/api/v1/zip/links") as asked:
        page.get_by_text("Download as ZIP").click()
    assert len(asked.value.post_data_json["ids"]) == 12


def test_what_is_said_over_an_open_photo_is_seen(page: Page) -> None:
    page.goto("/?q=a+house")
    wait_for_photos(page)
    page.click(".tile")
    page.locator(".paths button").first.click()
    page.locator(".viewer .toast.shown", has_text="Path copied").wait_for()
    page.keyboard.press("Escape")
    page.locator(".viewer").wait_for(state="hidden")
    page.hover(".tile[data-place='0']")
    page.click(".tile[data-place='0'] .choose")
    page.get_by_text("Copy paths").click()
    page.locator("body > .toast.shown", has_text="1 path copied").wait_for()


def test_a_path_with_a_line_break_is_not_copied_as_two(page: Page) -> None:
    def broken(route: Route) -> None:
        response = route.fetch()
        found = response.json()
        found["photos"][0]["path"] += "\nb.jpg"
        route.fulfill(response=response, json=found)

    page.goto("/?q=a+house")
    wait_for_photos(page)
    page.route(re.compile(r"/photos\?ids="), broken)
    page.hover(".tile[data-place='0']")
    page.click(".tile[data-place='0'] .choose")
    page.click(".tile[data-place='1']", modifiers=["Shift"])
    page.get_by_text("Copy paths").click()
    told = "1 path with a line break left out, 1 path copied"
    page.locator("body > .toast.shown", has_text=told).wait_for()


def test_a_photo_is_closed_once_by_two_presses(page: Page) -> None:
    page.goto("/")
    wait_for_photos(page, 62)
    search(page, "a house")
    wait_for_title(page, "match")
    page.click(".tile")
    page.wait_for_selector(".viewer-facts dl")
    page.evaluate("""() => {
      const close = document.querySelector(".viewer-tools [aria-label=Close]");
      close.click();
      close.click();
    }""")
    page.locator(".viewer").wait_for(state="hidden")
    page.wait_for_timeout(300)
    assert page.url.endswith("/?q=a+house")


def test_a_link_to_a_hit_tells_why_it_is_one(page: Page) -> None:
    page.goto("/?q=a+house&all=1")
    wait_for_photos(page)
    link = page.get_attribute(".tile[data-place='3'] a", "href") or ""
    page.goto(link)
    page.locator(".explain-term", has_text="a house").wait_for()
    page.goto(re.sub("q=[^&]*", "q=a+house+NOT+a+tree", link))
    page.locator(".explain-term", has_text="NOT a tree").wait_for()
    assert page.locator(".explain-term", has_text="NOT").count() == 1


def test_a_photo_that_is_not_there_is_not_the_one_before(window: Window) -> None:
    page = window.page
    page.goto("/?photo=987654")
    page.locator(".viewer-name", has_text="no longer in the library").wait_for()
    for key in ("z", "m", "d"):
        page.keyboard.press(key)
    assert page.url.endswith("/?photo=987654")
    page.keyboard.press("Escape")
    page.locator(".viewer").wait_for(state="hidden")
    assert page.url.endswith("/")
    window.errors = [text for text in window.errors if "404" not in text]


def test_counts_are_of_the_query_that_is_shown(page: Page) -> None:
    page.goto("/?q=a+house")
    wait_for_photos(page)
    page.click(".facets-toggle")
    page.wait_for_selector(".facet")
    before = page.inner_text(".facets-body")
    # The answer to another query comes late, when one has gone back already.
    page.route("**/api/v1/facets?q=format*", lambda route: _late(page, route.continue_))
    search(page, "format:tiff")
    wait_for_title(page, "1 photo matches")
    page.go_back()
    page.wait_for_url("**/?q=a+house")
    page.wait_for_timeout(1500)
    assert page.inner_text(".facets-body") == before
    page.evaluate("localStorage.clear()")


def _late(page: Page, go_on: object) -> None:
    page.wait_for_timeout(700)
    go_on()  # type: ignore[operator]


def test_a_picture_beside_words_with_or(page: Page, served: Served) -> None:
    page.goto("/")
    search(page, "a house OR a dog")
    page.wait_for_url("**OR**")
    page.set_input_files("input[type=file]", str(served.photos / "scene-00003.jpg"))
    page.wait_for_url("**upload**")
    query = page.input_value("#query")
    assert re.fullmatch(r"photo:upload-\w+ AND \(a house OR a dog\)", query)


def test_what_is_no_picture_is_told_by_its_name(window: Window, tmp_path: Path) -> None:
    page = window.page
    (tmp_path / "no.jpg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    page.goto("/")
    page.set_input_files("input[type=file]", str(tmp_path / "no.jpg"))
    page.locator(".toast", has_text=re.compile(r"^no\.jpg cannot be used")).wait_for()
    assert page.url.endswith("/")
    window.errors = [text for text in window.errors if "422" not in text]


def test_texts_are_never_markup(page: Page) -> None:
    hostile = "<img src=x onerror=alert(1)>'\""
    page.goto("/?sort=path")
    wait_for_photos(page)
    page.hover(".tile[data-place='0']")
    page.click(".tile[data-place='0'] .choose")
    page.get_by_text("Tag…", exact=True).click()
    page.fill("dialog input", hostile)
    page.keyboard.press("Enter")
    page.locator(".toast", has_text="1 photo tagged").wait_for()
    page.locator(".selection").get_by_text("Done").click()
    page.click(".tile[data-place='0'] a")
    page.locator(".viewer .chip", has_text=hostile).click()
    wait_for_title(page, "1 photo matches")
    page.locator(".answer .chip", has_text=hostile).wait_for()
    assert page.locator("img[src=x]").count() == 0


@pytest.mark.parametrize(
    ("told", "reason"),
    [({"read_only": True}, "started with --read-only"), ({"browse": []}, "--browse DIR")],
)
def test_why_no_folder_can_be_added(page: Page, told: dict[str, object], reason: str) -> None:
    with _told(page, "**/api/v1/status", told):
        page.goto("/?view=library")
        page.locator(".view.library .legend", has_text=reason).wait_for()
        assert page.get_by_role("button", name="Add a folder").count() == 0


def test_who_logged_in_can_log_out(page: Page) -> None:
    with _told(page, "**/api/v1/status", {"needs_token": True}):
        page.goto("/?view=library")
        with page.expect_request("**/api/v1/logout"):
            page.get_by_role("button", name="Sign out").click()
        page.wait_for_url("**/login")


def test_a_photo_whose_file_is_away_is_shown_small(page: Page) -> None:
    with _told(page, re.compile(r"/api/v1/photos/\d+$"), {"available": False}):
        page.goto("/?photo=1")
        page.locator(".viewer-facts .note", has_text="not there now").wait_for()
    assert page.get_by_text("Download the file").count() == 0
    page.keyboard.press("z")
    page.locator(".viewer .toast.shown", has_text="smaller picture").wait_for()
    assert page.locator(".viewer.zoomed").count() == 0
    width = "document.querySelector('.viewer-picture').naturalWidth"
    while not page.evaluate(width):  # the larger picture is made when it is first asked for
        page.wait_for_timeout(50)


def test_a_wrong_query_among_duplicates_is_told_under_the_field(window: Window) -> None:
    page = window.page
    page.goto("/?view=duplicates")
    page.locator(".group").first.wait_for()
    page.goto("/?view=duplicates&q=a+AND")
    page.locator(".query-error-text", has_text="AND at the end").wait_for()
    assert page.inner_text(".view.duplicates h1") == "This query cannot be answered"
    assert not page.get_by_text("Copy the paths of all").is_visible()
    window.errors = [text for text in window.errors if "400" not in text]


def test_nothing_to_count_is_told(page: Page) -> None:
    page.goto("/?q=date:1900")
    wait_for_title(page, "No photo in the selection")
    page.click(".facets-toggle")
    page.locator(".facets .legend", has_text="nothing to count").wait_for()


def test_photos_that_may_match_are_all_shown(page: Page) -> None:
    page.goto("/")
    answered = {"matches": 0, "maybes": 30, "hits": [], "next": None}
    with _told(page, re.compile(r"/search\?q=a\+house.*limit=60"), answered):
        search(page, "a house")
        wait_for_title(page, "^No photo matches; 30 may. These come nearest$")
        wait_for_photos(page, 30)


def test_what_was_seen_is_acted_on_even_if_others_match_by_then(page: Page) -> None:
    page.goto("/?sort=path")
    wait_for_photos(page, 62)
    page.locator(".tile a").first.focus()
    page.keyboard.press("Control+a")
    with page.expect_request("**/api/v1/zip/links") as asked, page.expect_download() as saved:
        page.get_by_text("Download as ZIP").click()
    ids = asked.value.post_data_json["ids"]
    assert (len(ids), len(set(ids))) == (62, 62)
    with zipfile.ZipFile(saved.value.path()) as packed:
        assert len(packed.namelist()) == 62


def test_photos_that_come_while_one_looks_are_not_read_out(page: Page) -> None:
    """Each change of the library would otherwise interrupt a screen reader."""
    change = 'retry: 1000000\nevent: changed\ndata: {"generation": 1}\n\n'
    page.route(
        "**/api/v1/events",
        lambda route: route.fulfill(content_type="text/event-stream", body=change),
    )
    page.add_init_script("""addEventListener("DOMContentLoaded", () => {
      window.readOut = [];
      const place = document.querySelector("#announcement");
      new MutationObserver(() => readOut.push(place.textContent)).observe(place, {childList: true});
    });""")
    answered: list[str] = []
    page.on("response", lambda response: answered.append(response.url.partition("?")[0]))
    page.goto("/?q=a+house&all=1")
    wait_for_photos(page)
    while sum(address.endswith("/api/v1/search") for address in answered) < 2:
        page.wait_for_timeout(50)  # until the change has the page ask again
    page.wait_for_timeout(300)
    assert page.evaluate("readOut") == [page.inner_text(".answer h1")]


def test_a_finger_that_rests_on_a_photo_selects_it(chromium: Browser, served: Served) -> None:
    size = {"width": 390, "height": 740}
    window = Window(new_context(chromium, served, viewport=size, has_touch=True), served)
    page = window.page
    page.goto("/?sort=path")
    wait_for_photos(page)
    finger = page.context.new_cdp_session(page)

    def press(tile: int, milliseconds: int) -> None:
        box = page.locator(f".tile[data-place='{tile}']").bounding_box()
        assert box
        point = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}
        touch = "Input.dispatchTouchEvent"
        finger.send(touch, {"type": "touchStart", "touchPoints": [point]})
        page.wait_for_timeout(milliseconds)
        finger.send(touch, {"type": "touchEnd", "touchPoints": []})

    press(0, 700)
    page.locator(".selection", has_text="1 photo selected").wait_for()
    press(1, 50)
    page.locator(".selection", has_text="2 photos selected").wait_for()
    press(1, 50)
    page.locator(".selection", has_text="1 photo selected").wait_for()
    page.get_by_text("Done").click()
    press(1, 50)
    page.wait_for_selector(".viewer[open]")
    window.close()


def test_two_photos_are_kept_apart(page: Page) -> None:
    page.goto("/?sort=path")
    wait_for_photos(page)
    page.locator(".tile[data-place='4'] a").focus()
    page.keyboard.press("Shift+ArrowRight")
    with page.expect_response("**/api/v1/decisions") as decided:
        page.get_by_role("button", name="Not duplicates").click()
    assert decided.value.json() == {"pairs": 1}
    page.locator(".toast.shown", has_text="not duplicates of each other").wait_for()
    assert page.locator(".selection").is_hidden()
    with page.expect_response("**/api/v1/decisions") as decided:
        page.locator(".toast").get_by_role("button", name="Undo").click()
    assert decided.value.json() == {"pairs": 1}
    page.locator(".toast.shown", has_text="Taken back").wait_for()


_SEND = """([kind, bytes]) => {
  const sent = new DataTransfer();
  sent.items.add(new File([new Uint8Array(bytes)], "mine.png", {type: "image/png"}));
  const event = kind === "paste"
    ? new ClipboardEvent("paste", {clipboardData: sent, bubbles: true, cancelable: true})
    : new DragEvent("drop", {dataTransfer: sent, bubbles: true, cancelable: true});
  document.body.dispatchEvent(event);
  return event.defaultPrevented;
}"""
"""What a browser does when a file is dropped on a page or pasted into it."""


@pytest.mark.parametrize("kind", ["drop", "paste"])
def test_a_picture_is_dropped_or_pasted(page: Page, kind: str) -> None:
    file = io.BytesIO()
    picture(5).save(file, "PNG")
    page.goto("/")
    wait_for_photos(page)
    assert page.evaluate(_SEND, [kind, list(file.getvalue())])
    page.wait_for_url("**photo%3Aupload-**")
    page.wait_for_selector(".query-picture:not([hidden])")
    wait_for_photos(page)


@contextmanager
def _told(page: Page, address: str | re.Pattern[str], told: dict[str, object]) -> Iterator[None]:
    """Have the server's answers tell something else."""
    page.route(address, lambda route: route.fulfill(json={**route.fetch().json(), **told}))
    yield
    page.unroute_all(behavior="ignoreErrors")

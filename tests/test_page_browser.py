"""A person's ways through the page, in a browser, over one library and one server."""

from __future__ import annotations

import io
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sigseek.demo.photos import draw_photos
from tests.browser import MISSING, browser, found_browser
from tests.conftest import ROOT
from tests.photos import exif, picture, save

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page, Request

pytestmark = [
    pytest.mark.skipif(found_browser() is None, reason=MISSING),
]

_PAGE = ROOT / "sigseek" / "web" / "page"
_MILLION = """
const asked = window.fetch;
window.fetch = (address, ...rest) => {
  if (!String(address).includes("search/layout")) return asked(address, ...rest);
  const count = 1000000;
  const bytes = new ArrayBuffer(8 + 19 * count);
  new Uint32Array(bytes, 0, 2).set([0x53474c31, count]);
  new Float64Array(bytes, 8, count).forEach((_, at, ids) => { ids[at] = at + 1; });
  new Uint16Array(bytes, 8 + 8 * count, count).fill(1500);
  new Uint16Array(bytes, 8 + 10 * count, count).fill(65535);
  const minutes = new Int32Array(bytes, 8 + 12 * count, count);
  minutes.forEach((_, at) => { minutes[at] = 29000000 - 26 * at; });
  return Promise.resolve(new Response(bytes));
};
"""
"""Answers with a million photos over fifty years, the newest first, as `GET search/layout` does."""
_WIDE = {"width": 1280, "height": 900}
_PHONE = {"width": 360, "height": 740}


class Served:
    """A library, its photos, and the server over it."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.photos = folder / "photos"
        self.more = folder / "more"
        self.library = folder / "library"
        self.environment = environment
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            self.port = taken.getsockname()[1]
        self.address = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None

    def run(self, *arguments: str | Path) -> None:
        subprocess.run(
            [sys.executable, "-m", "sigseek", *arguments], env=self.environment, check=True,
            capture_output=True,
        )  # fmt: skip

    def start(self) -> None:
        """Start the server, and wait until it answers."""
        command = [
            sys.executable, "-m", "sigseek", "serve", "--library", str(self.library),
            "--port", str(self.port), "--browse", str(self.photos.parent),
        ]  # fmt: skip
        self.process = subprocess.Popen(command, env=self.environment)
        for _ in range(600):
            try:
                with urllib.request.urlopen(f"{self.address}/api/v1/health/live"):
                    return
            except OSError:
                assert self.process.poll() is None, "the server has ended"
                time.sleep(0.1)
        raise AssertionError("the server does not answer")

    def end(self) -> None:
        if self.process:
            self.process.terminate()
            self.process.wait(timeout=30)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, shared_cache: Path) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("page")
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("SIGSEEK_")},
        "SIGSEEK_CACHE": str(shared_cache), "HF_HUB_OFFLINE": "1", "HOME": str(folder),
    }  # fmt: skip
    started = Served(folder, environment)
    draw_photos(started.photos, 20, seed=7)
    for number in range(40):
        save(started.photos / f"view-{number:02}.jpg", seed=100 + number)
    shutil.copy(started.photos / "scene-00003.jpg", started.photos / "a copy.jpg")
    lisbon = exif(
        Make="Canon", Model="EOS 7D", DateTimeOriginal="2019:05:17 10:11:12",
        GPSLatitudeRef="N", GPSLatitude=(38.0, 43.0, 0.0),
        GPSLongitudeRef="W", GPSLongitude=(9.0, 8.0, 0.0),
    )  # fmt: skip
    save(started.photos / "lisbon.jpg", seed=5, exif=lisbon)
    save(started.photos / "scan.tiff", seed=6)
    save(started.more / "new photo.jpg", seed=8)
    started.run("index", started.photos, "--library", started.library, "--model", "mini")
    started.start()
    yield started
    started.end()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as started:
        yield started


def new_context(chromium: Browser, served: Served, **options: object) -> BrowserContext:
    """Return what windows of the browser with these options are opened in."""
    context = chromium.new_context(
        base_url=served.address, locale="en-GB", **{"viewport": _WIDE, **options}
    )
    context.grant_permissions(["clipboard-read", "clipboard-write"], origin=served.address)
    return context


@pytest.fixture(scope="module")
def context(chromium: Browser, served: Served) -> Iterator[BrowserContext]:
    """A window for all tests, each of which opens a tab. To open a window takes more than a second
    of processor time.
    """
    made = new_context(chromium, served)
    made.new_page()  # without it the window would close together with the tab of a test
    yield made
    made.close()


class Window:
    """A tab of the browser that notes what must not happen: errors, and requests elsewhere."""

    def __init__(self, context: BrowserContext, served: Served) -> None:
        self.address = served.address
        self.errors: list[str] = []
        self.elsewhere: list[str] = []
        self.page: Page = context.new_page()
        self.page.set_default_timeout(40_000)
        self.page.on(
            "console",
            lambda said: self.errors.append(said.text) if said.type in ("error", "warning") else 0,
        )
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("request", self._note)

    def _note(self, request: Request) -> None:
        if not request.url.startswith((self.address, "blob:", "data:")):
            self.elsewhere.append(request.url)

    def close(self) -> None:
        context = self.page.context
        self.page.evaluate("localStorage.clear()")  # the next tab has the same
        self.page.close()
        if not context.pages:
            context.close()
        assert self.elsewhere == []
        assert self.errors == []


@pytest.fixture
def window(context: BrowserContext, served: Served) -> Iterator[Window]:
    opened = Window(context, served)
    yield opened
    opened.close()


@pytest.fixture
def page(window: Window) -> Page:
    return window.page


def wait_for_photos(page: Page, number: int | None = None) -> None:
    """Wait until the page shows photos, and that many of them if a number is given."""
    page.wait_for_selector(".tile.loaded")
    if number is not None:
        page.wait_for_selector(f".tile[aria-setsize='{number}']")


def search(page: Page, query: str) -> None:
    page.fill("#query", query)
    page.press("#query", "Enter")


def wait_for_title(page: Page, pattern: str) -> None:
    page.locator(".answer h1", has_text=re.compile(pattern)).wait_for()


def test_the_first_search_the_viewer_and_back(page: Page) -> None:
    page.goto("/")
    wait_for_photos(page, 62)
    assert page.evaluate("document.activeElement.id") == "query"
    search(page, "a red house")
    page.wait_for_url("**/?q=a+red+house")
    wait_for_title(page, "match")
    first = page.get_attribute(".tile a", "href") or ""
    page.click(".tile")
    page.wait_for_url(f"**{first}")
    page.wait_for_selector(".viewer-picture")
    name = page.inner_text(".viewer-name")
    assert re.fullmatch(r"scene-\d{5}\.jpg", name)
    assert "sigseek demo" in page.inner_text(".viewer-facts")
    assert page.locator(".viewer-facts dd").get_by_text("the camera", exact=True).count() == 1
    color = page.evaluate("getComputedStyle(document.querySelector('.viewer-picture')).color")
    assert color == "rgba(0, 0, 0, 0)", "the name is not written over the picture"
    page.wait_for_selector(".explain-term")
    assert "a red house" in page.inner_text(".explain-term")
    page.keyboard.press("Escape")
    page.wait_for_url("**/?q=a+red+house")
    assert not page.is_visible(".viewer")
    assert page.evaluate("document.activeElement.getAttribute('href')") == first
    page.go_back()
    page.wait_for_url(re.compile(r"/$"))
    wait_for_title(page, "62 photos")
    assert page.input_value("#query") == ""


def test_a_sent_link_restores_order_and_photo(page: Page) -> None:
    page.goto("/?sort=path")
    wait_for_photos(page, 62)
    names = ["a copy.jpg", "lisbon.jpg", "scan.tiff", "scene-00000.jpg"]
    wait_for_photos(page)
    link = page.get_attribute(".tile[data-place='1'] a", "href") or ""
    page.goto(link)
    page.locator(".viewer-name", has_text=names[1]).wait_for()
    page.locator(".viewer-position", has_text="2 of 62").wait_for()
    page.keyboard.press("ArrowRight")
    page.locator(".viewer-name", has_text=names[2]).wait_for()
    page.reload()
    page.locator(".viewer-name", has_text=names[2]).wait_for()
    page.keyboard.press("Escape")
    page.wait_for_url("**/?sort=path")
    assert page.input_value("#order") == "path"


def test_a_format_that_browsers_do_not_show(page: Page) -> None:
    page.goto("/?q=format%3Atiff")
    wait_for_photos(page)
    page.click(".tile")
    page.locator(".viewer-name", has_text="scan.tiff").wait_for()
    page.keyboard.press("z")
    page.wait_for_selector(".viewer-picture[src$=derived]")
    page.wait_for_selector(".viewer:not(.waiting).zoomed")
    width = "document.querySelector('.viewer-picture').naturalWidth"
    page.wait_for_timeout(300)
    assert page.evaluate(width) == 64


def test_an_error_is_told_under_its_column(window: Window) -> None:
    page = window.page
    page.goto("/")
    search(page, "a long smile :)")
    error = page.locator(".query-error-text")
    error.wait_for()
    assert "quote the text" in error.inner_text()
    mark, field = page.locator(".query-error-mark"), page.locator("#query")
    box, input_box = mark.bounding_box(), field.bounding_box()
    assert box
    assert input_box
    assert box["x"] > input_box["x"] + 40
    search(page, "a dog")
    error.wait_for(state="hidden")
    # A browser notes every answer of 400 and more by itself.
    window.errors = [text for text in window.errors if "400" not in text]


def test_the_query_is_completed(page: Page) -> None:
    page.goto("/")
    page.route("**/completion?q=a+house+ca&*", lambda route: None)  # it is never answered
    with page.expect_request("**/completion?q=a+house+ca&*"):
        page.locator("#query").press_sequentially("a house ca")
    page.locator("#query").press_sequentially("mer")
    meaning = page.locator("#suggestions:not([aria-busy]) li", has_text="a camera or its maker")
    meaning.wait_for()
    page.fill("#query", "camer")
    page.keyboard.press("ArrowDown")  # what is listed is still about the text before
    meaning.wait_for()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.locator("#suggestions li", has_text="EOS 7D").wait_for()
    assert page.input_value("#query") == "camera:"
    page.locator("#suggestions li", has_text="EOS 7D").click()
    page.keyboard.press("Enter")
    wait_for_title(page, "1 photo matches")
    wait_for_photos(page, 1)


def test_facets_narrow_and_chips_free(page: Page) -> None:
    page.goto("/")
    page.click(".facets-toggle")
    lisbon = page.locator(".facet", has_text="Lisbon")
    lisbon.wait_for()
    assert lisbon.locator(".facet-count").inner_text() == "1"
    lisbon.click()
    wait_for_title(page, "1 photo matches")
    assert "place:" in page.input_value("#query")
    page.locator(".chip", has_text="Lisbon").click()
    wait_for_title(page, "62 photos")
    page.fill(".dates input[aria-label=From]", "2019-05-17")
    page.fill(".dates input[aria-label=Until]", "2019-05-17")
    page.press(".dates input[aria-label=Until]", "Enter")
    page.wait_for_url("**date**")
    assert "2019-05-17" in page.input_value("#query")


def test_a_period_is_dragged_over_the_months(page: Page) -> None:
    page.goto("/")
    page.click(".facets-toggle")
    page.wait_for_selector(".months canvas")
    page.locator(".months").scroll_into_view_if_needed()
    box = page.locator(".months canvas").bounding_box()
    assert box
    page.mouse.move(box["x"] + 2, box["y"] + 30)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 30, steps=4)
    page.mouse.up()
    page.wait_for_url("**date**")
    assert re.fullmatch(r'date:"\d{4}-\d\d\.\.\d{4}-\d\d"', page.input_value("#query"))
    wait_for_title(page, r"^\d\d? photos match$")
    assert 0 < int(page.inner_text(".answer h1").split()[0]) < 62


def test_search_by_a_picture_that_is_sent(page: Page) -> None:
    file = io.BytesIO()
    picture(5).save(file, "PNG")
    page.goto("/")
    wait_for_photos(page)
    page.set_input_files("input[type=file]", {
        "name": "mine.png", "mimeType": "image/png", "buffer": file.getvalue(),
    })  # fmt: skip
    page.wait_for_url("**photo%3Aupload-**")
    page.wait_for_selector(".query-picture:not([hidden])")
    page.wait_for_selector(".tile.loaded")
    page.click(".query-picture")
    page.wait_for_url(re.compile(r"/$"))


def test_selected_photos_are_copied_packed_and_tagged(page: Page, served: Served) -> None:
    page.goto("/?sort=path")
    wait_for_photos(page)
    page.hover(".tile[data-place='0']")
    page.click(".tile[data-place='0'] .choose")
    page.click(".tile[data-place='2']", modifiers=["Shift"])
    bar = page.locator(".selection")
    assert "3 photos selected" in bar.inner_text()
    bar.get_by_text("Copy paths").click()
    page.locator(".toast", has_text="3 paths copied").wait_for()
    copied = page.evaluate("navigator.clipboard.readText()").splitlines()
    names = ["a copy.jpg", "lisbon.jpg", "scan.tiff"]
    assert copied[1:] == [str(served.photos / name) for name in names[1:]]
    with page.expect_download() as download:
        bar.get_by_text("Download as ZIP").click()
    with zipfile.ZipFile(download.value.path()) as packed:
        assert len(packed.namelist()) == 3
        assert packed.testzip() is None
    bar.get_by_text("Tag…", exact=True).click()
    page.fill("dialog input", "of mine")
    page.keyboard.press("Enter")
    page.locator(".toast", has_text="3 photos tagged").wait_for()
    search(page, 'tag:"of mine"')
    wait_for_title(page, "3 photos match")
    page.keyboard.press("Tab")
    page.locator(".tile a").first.focus()
    page.keyboard.press("Control+a")
    bar.get_by_text("Untag…", exact=True).click()
    page.fill("dialog input", "of mine")
    page.keyboard.press("Enter")
    page.locator(".toast", has_text="taken from 3 photos").wait_for()


def test_the_grid_by_keyboard(page: Page) -> None:
    page.goto("/?sort=path")
    wait_for_photos(page)
    page.locator(".tile[data-place='0'] a").focus()
    for key in ("ArrowRight", "ArrowDown", "ArrowUp", "Space"):
        page.keyboard.press(key)
    assert page.get_attribute(".tile.chosen", "data-place") == "1"
    page.keyboard.press("Escape")
    page.wait_for_selector(".tile.chosen", state="detached")
    page.keyboard.press("End")
    assert page.evaluate("document.activeElement.closest('.tile').dataset.place") == "61"
    page.keyboard.press("Enter")
    page.locator(".viewer-position", has_text="62 of 62").wait_for()
    page.keyboard.press("Escape")
    page.set_viewport_size({"width": 320, "height": 400})
    page.keyboard.press("?")
    page.locator("dialog .keys").wait_for()
    assert page.evaluate("document.querySelector('dialog.small').scrollHeight") > 400
    assert page.evaluate("document.querySelector('dialog.small').scrollTop") == 0


def test_more_and_not_like_a_photo(page: Page) -> None:
    page.goto("/?q=a+red+house&all=1")
    wait_for_photos(page)
    page.click(".tile")
    page.keyboard.press("n")
    page.wait_for_url("**NOT+photo**")
    assert re.fullmatch(r"a red house NOT photo:\d+", page.input_value("#query"))


def test_duplicates_and_a_decision_about_them(page: Page) -> None:
    page.goto("/?view=duplicates")
    group = page.locator(".group").first
    group.wait_for()
    text = group.inner_text()
    assert "Keep" in text
    assert "a copy.jpg" in text
    assert "scene-00003.jpg" in text
    group.locator("a").first.click()
    page.wait_for_selector(".viewer[open]")
    page.keyboard.press("Escape")
    page.wait_for_url("**/?view=duplicates")
    # Files of one picture cannot be kept apart, so this is about groups of another kind.
    page.get_by_label("Kind of duplicates").select_option("alike")
    button = page.get_by_role("button", name="These are not duplicates")
    alike = page.locator(".group", has=button).first
    before = alike.inner_text()
    assert before.startswith("Other shots of one scene, not copies")
    groups = page.locator(".group:visible").count()
    button.first.click()
    page.locator(".toast").get_by_role("button", name="Undo").wait_for()
    assert page.locator(".group:visible").count() == groups - 1
    page.locator(".toast").get_by_role("button", name="Undo").click()
    page.locator(".toast.shown", has_text="Taken back").wait_for()
    assert page.locator(".group:visible").count() == groups
    page.reload()
    alike.wait_for()
    assert alike.inner_text() == before
    page.go_back()
    page.locator(".group", has_text="a copy.jpg").wait_for()
    assert page.get_by_label("Kind of duplicates").input_value() == "identical,near"


def test_a_folder_is_added_and_its_photo_appears(page: Page, served: Served) -> None:
    page.goto("/?view=library")
    page.locator(".folder", has_text="photos").wait_for()
    page.get_by_role("button", name="Add a folder").click()
    dialog = page.locator("dialog[open]")
    while dialog.locator(".directory", has_text=re.compile("^more$")).count() == 0:
        dialog.locator(".directory").first.click()
        page.wait_for_timeout(200)
    dialog.locator(".directory", has_text=re.compile("^more$")).click()
    dialog.locator(".path", has_text=str(served.more)).wait_for()
    dialog.get_by_text("Add this folder").click()
    page.wait_for_selector(".run")
    page.locator(".folder", has_text=str(served.more)).wait_for(timeout=60_000)
    page.locator(".lead", has_text="63 photos").wait_for(timeout=60_000)
    page.get_by_role("link", name="Photos", exact=True).click()
    wait_for_title(page, "63 photos")
    page.goto("/?view=library")
    page.get_by_role("button", name="Forget more").click()
    page.locator("dialog[open]").get_by_role("button", name="Forget").click()
    page.locator(".lead", has_text="62 photos").wait_for()


def test_a_million_photos_are_scrolled(window: Window) -> None:
    page = window.page
    photos = 1_000_000
    page.add_init_script(_MILLION)
    page.goto("/")
    page.wait_for_selector(f".strip[aria-valuemax='{photos}']")
    scroller = page.locator(".scroller")
    page.click(".strip", position={"x": 50, "y": 400})
    assert page.evaluate("document.activeElement.className") == "strip"
    assert not page.evaluate("document.activeElement.matches(':focus-visible')")
    page.keyboard.press("End")
    page.wait_for_selector(f".tile[data-place='{photos - 1}']")
    assert page.evaluate("document.activeElement.matches(':focus-visible')")
    most = 0
    for tenth in range(11):
        scroller.evaluate("(element, to) => { element.scrollTop = element.scrollHeight * to; }",
                          tenth / 10)  # fmt: skip
        page.wait_for_timeout(60)
        most = max(most, page.evaluate("document.querySelectorAll('*').length"))
    assert most < 600
    # A small step scrolls by itself, anywhere in the list.
    scroller.evaluate("element => { element.scrollTop = element.scrollHeight / 2; }")
    page.wait_for_timeout(400)
    before = page.evaluate("Number(document.querySelector('.tile').dataset.place)")
    scroller.evaluate("element => { element.scrollTop += 400; }")
    page.wait_for_timeout(400)
    after = page.evaluate("Number(document.querySelector('.tile').dataset.place)")
    assert 0 < after - before < 100
    page.reload()
    page.wait_for_selector(f".tile[data-place='{after}']")


def test_a_lost_server_is_told_and_comes_back(window: Window) -> None:
    page = window.page
    page.goto("/")
    wait_for_photos(page)
    page.context.set_offline(True)
    search(page, "a red house")
    page.locator(".lost", has_text="does not answer").wait_for()
    page.context.set_offline(False)
    page.locator(".lost").wait_for(state="hidden")
    wait_for_title(page, "match")
    window.errors = [text for text in window.errors if "ERR_INTERNET_DISCONNECTED" not in text]


def test_an_empty_library_greets(window: Window) -> None:
    page = window.page
    nothing = {
        "query": "", "headline": "", "hits": [], "photos": 0, "matches": 0, "maybes": 0,
        "next": None, "judged_by": "facts", "notes": [], "legend": [], "terms": [],
    }  # fmt: skip
    page.route("**/api/v1/search?*", lambda route: route.fulfill(json=nothing))
    page.goto("/")
    wait_for_title(page, "no photos yet")
    page.get_by_role("button", name="Add a folder").click()
    page.wait_for_url("**/?view=library")


def test_dark_and_narrow(chromium: Browser, served: Served) -> None:
    phone = new_context(chromium, served, viewport=_PHONE, color_scheme="dark", has_touch=True)
    window = Window(phone, served)
    page = window.page
    page.goto("/")
    wait_for_photos(page)
    headers = set()
    for address in ("/", "/?q=a+red+house&all=1", "/?view=duplicates", "/?view=library"):
        page.goto(address)
        page.wait_for_timeout(500)
        assert page.evaluate("document.documentElement.scrollWidth") == 360
        found = page.locator(".brand, .query, nav a").all()
        headers.add(str([one.bounding_box() for one in found]))
    assert len(headers) == 1, "nothing at the top moves from view to view"
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert ground == "rgb(22, 22, 21)"
    window.close()


@pytest.mark.parametrize(
    ("scheme", "options"),
    [("light", {}), ("dark", {"runOnly": ["color-contrast"]})],
    ids=["light", "contrast in the dark"],
)
def test_every_view_is_accessible(
    chromium: Browser, served: Served, scheme: str, options: dict[str, object]
) -> None:
    from axe_playwright_python.sync_playwright import Axe

    context = new_context(chromium, served, color_scheme=scheme, reduced_motion="reduce")
    window = Window(context, served)
    page = window.page
    violations = {}
    for address, ready in {
        "/": ".tile.loaded",
        "/?q=a+red+house&all=1": ".tile.loaded",
        "/?sort=path&photo=1": ".viewer-facts dl",
        "/?view=duplicates": ".group",
        "/?view=library": ".folder",
        "/login": "#token",
    }.items():
        page.goto(address)
        page.wait_for_selector(ready)
        if address == "/":
            moving = """view => {
              view.classList.add("waiting");
              const moving = view.getAnimations({ subtree: true }).length;
              view.classList.remove("waiting");
              return moving;
            }"""
            assert page.locator(".view.search").evaluate(moving) == 0
            page.click(".facets-toggle")
            page.wait_for_selector(".facet")
            page.hover(".tile[data-place='0']")
            page.click(".tile[data-place='0'] .choose")
        page.wait_for_timeout(300)
        found = Axe().run(page, options={"resultTypes": ["violations"]} | options)
        if found.violations_count:
            violations[address] = found.generate_report()
    assert violations == {}
    window.close()


def test_the_page_is_small_and_has_no_code_in_its_markup() -> None:
    files = list(_PAGE.iterdir())
    assert sum(file.stat().st_size for file in files) < 200_000
    for file in files:
        text = file.read_text(encoding="utf-8")
        assert not re.search(r"\b(innerHTML|outerHTML|insertAdjacentHTML|eval|Function)\b", text)
        elsewhere = re.findall(r"https?://[^\s\"'`]+", text)
        assert set(elsewhere) <= {"http://www.w3.org/2000/svg"}
        if file.suffix == ".html":
            assert not re.search(r"<script(?![^>]*src=)|<style|\sstyle=|\son\w+=", text)


def test_the_arithmetic_of_rows(page: Page) -> None:
    page.goto("/login")
    rows = page.evaluate("""async () => {
      const { justify } = await import("/page/layout.js");
      const rows = justify([1000, 1000, 1000, 1000, 20000], 5, 306, 100, 3);
      const columns = [rows.starts, rows.tops, rows.heights].map((column) => [...column]);
      return [rows.rows, rows.height, ...columns];
    }""")
    count, height, starts, tops, heights = rows
    # Three squares fill the first row. A panorama counts as 3.2 times as wide as high.
    assert (count, starts, tops[:2], heights[0]) == (2, [0, 3, 5], [0, 103], 100)
    assert heights[1] == pytest.approx((306 - 3) / (1 + 3.2))
    assert height == pytest.approx(103 + heights[1])


def test_no_number_reads_as_a_better_verdict(page: Page) -> None:
    page.goto("/login")
    texts = page.evaluate("""async () => {
      const { probability, roughly } = await import("/page/words.js");
      const values = [0.496, 0.5, 0.499995, 0.0996, 0.0951, 0.1, 0.944];
      return [values.map(probability), values.map(roughly)];
    }""")
    shown = [[text.replace("\u00a0", "").replace(" ", "") for text in row] for row in texts]
    assert shown == [
        ["49%", "50%", "50%", "9.9%", "9.5%", "10%", "94%"],
        ["49%", "50%", "50%", "9%", "9%", "10%", "94%"],
    ]


def test_a_list_taller_than_browsers_allow(page: Page) -> None:
    page.goto("/login")
    scaled = page.evaluate("""async () => {
      const { ScrollScale } = await import("/page/layout.js");
      const scale = new ScrollScale(40e6, 900);
      const both = (place) => [scale.toPhysical(place), scale.toPlace(scale.toPhysical(place))];
      return [scale.physicalHeight, both(0), both(500), both(20e6), both(scale.end - 10)];
    }""")
    assert scaled[:3] == [6e6, [0, 0], [500, 500]]
    assert scaled[3][0] == pytest.approx(3e6, rel=0.01)
    assert scaled[3][1] == pytest.approx(20e6)
    assert scaled[4] == [6e6 - 900 - 10, 40e6 - 900 - 10]


def test_terms_are_added_and_taken_away(page: Page) -> None:
    page.goto("/login")
    queries = page.evaluate("""async () => {
      const { narrowed, without, freed } = await import("/page/queries.js");
      const lisbon = 'place:"Lisbon"';
      return [
        narrowed("", lisbon), narrowed("a dog", lisbon), narrowed("a OR b", lisbon),
        narrowed(`a dog AND ${lisbon}`, lisbon), narrowed('"x OR y"', lisbon),
        without("a dog", "photo:3"), without("", "photo:3"),
        freed(`a dog AND ${lisbon}`, null, lisbon), freed("a OR b", '"a" OR "b"', lisbon),
        freed("place:Lisbon a dog", `${lisbon} AND "a dog"`, lisbon),
      ];
    }""")
    assert queries == [
        'place:"Lisbon"', 'a dog AND place:"Lisbon"', '(a OR b) AND place:"Lisbon"',
        'a dog AND place:"Lisbon"', '"x OR y" AND place:"Lisbon"',
        "a dog NOT photo:3", "NOT photo:3", "a dog", None, '"a dog"',
    ]  # fmt: skip

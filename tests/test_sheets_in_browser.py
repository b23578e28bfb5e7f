"""The sheets that commands write, in a browser: whether everybody can read and use them."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sigseek.pages.contact_sheet import Section, write_contact_sheet
from sigseek.pages.duplicates_sheet import write_duplicates_sheet
from sigseek.pages.evaluation_report import write_report
from sigseek.search.duplicates.results import DuplicateGroup, DuplicatePhoto, Duplicates
from tests.browser import MISSING, browser, found_browser
from tests.photos import save
from tests.test_evaluation_report import EVALUATION
from tests.test_page import hit

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.skipif(found_browser() is None, reason=MISSING)


@pytest.fixture(scope="module")
def started() -> Iterator["Browser"]:
    with browser() as found:
        yield found


@pytest.fixture(scope="module")
def sheets(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("sheets")
    jpeg = save(folder / "a.jpg").read_bytes()
    hits = [
        hit(1, "match", 0.93),
        hit(2, "maybe", 0.2, available=False, damaged=True),
        hit(3, "no match", 0.01, query_photo="copy", path=f"/photos/{'long name ' * 20}.jpg"),
    ]
    answer = Section("two cats", hits, "1 photo matches", ("a note",), ("a legend",))
    nothing = Section("a giraffe", [], "No photo matches", best=hit(7, "no match", 0.02))
    like = Section("Like a.jpg", hits[:1], "The photo most like it", asked=folder / "a.jpg")
    for name, sections in {
        "hits": [answer],
        "none": [nothing],
        "all": [answer, nothing, like],
    }.items():
        write_contact_sheet(folder / f"{name}.html", sections[0].heading, sections, lambda _: jpeg)
    photos = [
        DuplicatePhoto(
            id=number, path=f"/photos/{number}.jpg", copies=("/photos/copy.jpg",), width=640,
            height=480, bytes=200_000, taken_at="2019-05-02T14:30:00", keep=keep,
            why="most pixels" if keep else None, distance=3, cosine=0.98, available=keep,
        )
        for number, keep in ((1, True), (2, False))
    ]  # fmt: skip
    found = Duplicates((DuplicateGroup("near", tuple(photos)),), 40)
    write_duplicates_sheet(folder / "duplicates.html", found, lambda _: jpeg)
    write_report(folder / "report.html", EVALUATION)
    return sorted(folder.glob("*.html"))


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 320)])
def test_everybody_can_read_them(
    started: "Browser", sheets: list[Path], scheme: str, width: int
) -> None:
    from axe_playwright_python.sync_playwright import Axe

    page = started.new_page(
        color_scheme=scheme,  # type: ignore[arg-type]
        viewport={"width": width, "height": 800},
    )
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    assert len(sheets) == 5
    for sheet in sheets:
        asked.clear()
        page.goto(sheet.as_uri())
        found = Axe().run(page)
        assert found.violations_count == 0, f"{sheet.name}: {found.generate_report()}"
        assert [url for url in asked if not url.startswith("data:")] == [sheet.as_uri()]
        overflow = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert overflow <= 0, f"{sheet.name} is too wide"
        folders = page.locator(".folder").all()
        assert all(folder.is_visible() for folder in folders), f"{sheet.name} hides folders"
    page.close()

"""All hits of a search as one block of bytes."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

import sigseek
from sigseek.operations import layout
from sigseek.operations.layout import UNDATED, Layout, minutes_of
from sigseek.storage import Catalog
from sigseek.web.routes.layout import packed
from tests.photos import save
from tests.served import served


@pytest.fixture(scope="module")
def dated_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library of photos whose names are their dates, and of undated ones."""
    folder = tmp_path_factory.mktemp("dated")
    names = (
        "IMG_20190503_101500", "IMG_20190503_101501", "much older", "IMG_20211224_235900",
        "plain", "other",
    )  # fmt: skip
    for seed, name in enumerate(names):
        save(folder / "photos" / f"{name}.png", seed=seed, size=(40 + 20 * seed, 40))
    with sigseek.open(folder / "library", model="mini", precision="fp32") as library:
        library.index(folder / "photos")
    return folder / "library"


@pytest.fixture(scope="module")
def web(dated_library: Path) -> Iterator[TestClient]:
    with served(dated_library) as client:
        yield client


def unpacked(body: bytes) -> dict[str, list[Any]]:
    """Return the columns as the page reads them."""
    magic, count = np.frombuffer(body, "<u4", 2).tolist()
    assert (int(magic), body[:4]) == (0x53474C31, b"1LGS")
    columns, start = {}, 8
    kinds = {"id": "<f8", "ratio": "<u2", "probability": "<u2", "minutes": "<i4", "color": "3u1"}
    for name, kind in kinds.items():
        assert start % 8 == 0
        columns[name] = np.frombuffer(body, kind, count, start).astype(int).tolist()
        start += -(-count * np.dtype(kind).itemsize // 8) * 8
    assert start == len(body)
    return columns


@pytest.mark.parametrize("sort", ["match", "date", "-date", "path", "rating", "added"])
@pytest.mark.parametrize("q", ["", "format:png", "is:undated OR date:2019"])
def test_the_order_is_that_of_the_search(web: TestClient, q: str, sort: str) -> None:
    asked = {"q": q, "sort": sort}
    columns = unpacked(web.get("/api/v1/search/layout", params=asked).content)
    hits = web.get("/api/v1/search", params=asked).json()["hits"]
    assert columns["id"] == [hit["id"] for hit in hits]
    assert columns["ratio"] == [round(1000 * hit["width"] / hit["height"]) for hit in hits]
    assert columns["probability"] == [65_535] * len(hits)
    told = ["#{:02x}{:02x}{:02x}".format(*color) for color in columns["color"]]
    assert told == [hit["color"] for hit in hits]
    assert len(hits) in (5, 6)


@pytest.mark.parametrize("asked", [{}, {"all": "true"}, {"all": "true", "sort": "date"}])
def test_texts_are_laid_out_with_their_probabilities(
    mini_library: Path, asked: dict[str, str]
) -> None:
    given = {"q": "a house"} | asked
    with served(mini_library) as web:
        columns = unpacked(web.get("/api/v1/search/layout", params=given).content)
        hits = web.get("/api/v1/search", params=given).json()["hits"]
    assert columns["id"] == [hit["id"] for hit in hits]
    expected = [round(65_535 * hit["probability"]) for hit in hits]
    assert np.abs(np.subtract(columns["probability"], expected)).max() <= 1
    assert len(hits) == (40 if asked else 4)


def test_times_are_minutes(web: TestClient) -> None:
    columns = unpacked(web.get("/api/v1/search/layout", params={"sort": "date"}).content)
    assert columns["minutes"] == [25947975, 25947975, 27339839, UNDATED, UNDATED, UNDATED]


def test_imprecise_times_are_those_of_the_beginning() -> None:
    texts = [
        "1970", "1970-02", "1970-02-03", "1970-02-03T04:05", "1970-02-03T04:05:06.5", "", "1969",
    ]  # fmt: skip
    minutes = minutes_of(np.array(texts, "S26"))
    assert minutes.tolist() == [
        0, 31 * 1440, 33 * 1440, 33 * 1440 + 245, 33 * 1440 + 245, UNDATED, -365 * 1440,
    ]  # fmt: skip


def test_times_that_32_bits_cannot_hold_are_the_latest() -> None:
    minutes = minutes_of(np.array(["6053-01-01", "6054-01-01", "9999-12-31"], "S26")).tolist()
    assert minutes == [2147451840, 2**31 - 1, 2**31 - 1]


def test_colors_that_are_not_known_are_told_from_black() -> None:
    known = np.array([-1, 0, 0x123456, 0xFFFFFF])
    told = [[0, 0, 0], [0, 0, 1], [0x12, 0x34, 0x56], [255, 255, 255]]
    assert layout._colors(known).tolist() == told


def test_an_answer_that_the_caller_has_is_not_sent_again(web: TestClient) -> None:
    first = web.get("/api/v1/search/layout")
    again = web.get("/api/v1/search/layout", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    other = web.get(
        "/api/v1/search/layout",
        params={"sort": "date"},
        headers={"If-None-Match": first.headers["etag"]},
    )
    assert other.status_code == 200


def test_a_change_of_the_library_is_seen(dated_library: Path, tmp_path: Path) -> None:
    import shutil

    copy = shutil.copytree(dated_library, tmp_path / "library")
    with sigseek.open(copy, model="mini", precision="fp32") as library:
        assert len(library.layout()) == 6
        save(tmp_path / "more" / "new.png", seed=99)
        with sigseek.open(copy, model="mini", precision="fp32") as other:
            other.index(tmp_path / "more")
        assert len(library.layout()) == 7


def test_an_empty_layout_is_a_head() -> None:
    none = np.zeros(0)
    kinds = (np.int64, np.uint16, np.uint16, np.int32, np.uint8)
    empty = Layout(*(none.astype(kind) for kind in kinds))
    assert packed(empty) == bytes.fromhex("314c475300000000")


def test_a_layout_that_is_made_during_a_change_is_not_kept_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(tmp_path / "photos" / "1.png", seed=1)
    shapes_of = layout._shapes_of

    with sigseek.open(tmp_path / "library", model="mini", precision="fp32") as library:
        library.index(tmp_path / "photos")

        def with_a_change(catalog: Catalog) -> layout._Shapes:
            shapes = shapes_of(catalog)
            monkeypatch.setattr(layout, "_shapes_of", shapes_of)
            save(tmp_path / "photos" / "2.png", seed=2)
            with sigseek.open(tmp_path / "library", model="mini", precision="fp32") as other:
                other.index(tmp_path / "photos")
            return shapes

        monkeypatch.setattr(layout, "_shapes_of", with_a_change)
        library.layout()
        assert sorted(library.layout().ids.tolist()) == [1, 2]

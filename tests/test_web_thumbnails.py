"""Thumbnails over HTTP: what browsers may keep, and what they paint until one is there."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import sigseek
from sigseek.indexer.decoding.hash import mean_color, sketch_record
from sigseek.storage import Catalog
from sigseek.storage.records.hashes import HashRecord, SketchRecord
from sigseek.web.photos import photos_json
from tests.catalogs import add_checkpoint, add_photos, execute
from tests.photos import picture
from tests.served import served
from tests.statements import listening


def grey(*levels: int) -> SketchRecord:
    """Return a sketch in bars of these levels."""
    rows = np.repeat(np.array(levels, np.uint8), 64 // len(levels))
    return sketch_record(np.repeat(rows[:, None], 64, axis=1), 1.0)


def test_the_colors_of_photos(open_catalog: Callable[[], Catalog], tmp_path: Path) -> None:
    catalog = open_catalog()
    vectors, names = np.eye(4, dtype=np.float32)[:3], ["a.jpg", "b.jpg", "c.jpg"]
    first, second, third = add_photos(catalog, add_checkpoint(catalog, 4), vectors, tmp_path, names)
    half = grey(0, 255)
    colored = HashRecord(half, color=0x8040FF)
    with catalog.transaction() as transaction:
        hashes = {first: HashRecord(grey(7), grey(200)), second: colored, third: None}
        transaction.put_hashes(hashes, 1)
    found = catalog.colors([first, second, third, 99])
    assert found == {first: found[first], second: 0x8040FF}
    level, rest = divmod(found[first], 0x010101)
    assert (level, rest) == (pytest.approx(7, abs=2), 0), "without a colour, the grey of the sketch"
    assert catalog.colors([]) == {}
    pictures = catalog.pictures([first, second, third])
    colors = [pictures[id_].color for id_ in (first, second, third)]
    assert colors == [None, 0x8040FF, None]
    columns = catalog.photo_columns()
    assert (columns.ids.tolist(), columns.colors.tolist()) == (
        [first, second, third], [-1, 0x8040FF, -1],
    )  # fmt: skip


def test_the_mean_color_of_a_picture() -> None:
    image = Image.new("RGB", (300, 200), (255, 0, 10))
    image.paste((0, 0, 10), (0, 0, 150, 200))
    assert mean_color(image) == 0x80000A


def test_each_photo_has_a_color_to_paint(mini_library: Path, drawn: Path) -> None:
    with served(mini_library) as client:
        (photo,) = client.get("/api/v1/photos", params={"ids": "1"}).json()["photos"]
    with Image.open(drawn / photo["name"]) as image:
        mean = np.asarray(image.convert("RGB")).mean(axis=(0, 1)).tolist()
    assert list(bytes.fromhex(photo["color"][1:])) == pytest.approx(mean, abs=3)


def test_pictures_and_colors_of_hits_are_one_question(mini_library: Path, tmp_path: Path) -> None:
    copy = tmp_path / "library"
    shutil.copytree(mini_library, copy)
    with sigseek.open(copy, model="mini") as library:
        hits = library.list_photos(3).hits
        with listening() as asked:
            colored = photos_json(library, hits)
        assert len(asked.statements) == 1
        execute(copy, "UPDATE photo SET color = NULL WHERE id = :id", id=hits[0].id)
        grey_one, *others = photos_json(library, hits)
    assert [photo["color"] for photo in others] == [photo["color"] for photo in colored[1:]]
    red, green, blue = bytes.fromhex(grey_one["color"][1:])
    assert red == green == blue, (
        "the sketch of a photo from before colours were kept tells its grey"
    )


def test_a_thumbnail_that_stands_in_for_another_is_not_kept_for_ever(tmp_path: Path) -> None:
    """Its photo may come back, and the right size with it."""
    photos = tmp_path / "photos"
    photos.mkdir()
    picture(77, (1600, 1200)).save(photos / "a.png")
    with sigseek.open(tmp_path / "library", model="mini", precision="fp32") as library:
        library.index(photos)
    with served(tmp_path / "library") as client:
        (photo,) = client.get("/api/v1/photos", params={"ids": "1"}).json()["photos"]
        small = client.get(photo["thumbnail"])
        assert small.headers["cache-control"] == "private, max-age=31536000, immutable"
        photos.rename(tmp_path / "unplugged")
        large = f"{photo['thumbnail']}&size=1280"
        instead = client.get(large)
        assert instead.content == small.content
        assert "immutable" not in instead.headers["cache-control"]
        shutil.copytree(tmp_path / "unplugged", photos)
        found = client.get(large)
        assert len(found.content) > len(small.content)
        assert "immutable" in found.headers["cache-control"]
        assert found.headers["etag"] != instead.headers["etag"]


def test_only_this_machine_is_told_where_they_are(mini_library: Path) -> None:
    with served(mini_library) as client:
        here = client.get("/api/v1/status").json()
    with served(mini_library, client=("192.0.2.1", 40_000), token="t") as client:
        there = client.get("/api/v1/status", headers={"Authorization": "Bearer t"}).json()
    assert Path(here["thumbnails"]).is_absolute()
    assert there["thumbnails"] == "thumbnails"
    assert there["thumbnails_max_bytes"] == 4_000_000_000

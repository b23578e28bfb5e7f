import json
import random
import re
import subprocess
from collections import Counter
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image

from sigseek.answers import LIKENESS_LEGEND
from sigseek.demo.captions import (
    Statement,
    Subject,
    caption,
    full_statement,
    phrase,
    random_statement,
)
from sigseek.demo.drawing import PAINT, draw_scene
from sigseek.demo.photos import DemoFolderError, draw_photos
from sigseek.demo.scene import (
    COLORS,
    OBJECTS,
    PLACES,
    TIMES,
    WEATHERS,
    Group,
    Scene,
    all_facts,
    numbered_scene,
)
from sigseek.demo.shapes import SHAPES
from sigseek.demo.training.evaluate import retrieval_figures
from sigseek.siglip import Checkpoint, ImageTower, TextTower
from tests.conftest import Run

SCENE = Scene(
    (Group("house", "red", 2), Group("bus", "blue", 1)), "by the sea", "at night", "in the rain"
)


def test_the_vocabulary() -> None:
    assert len(OBJECTS) >= 16
    assert len(COLORS) == 10
    assert (len(PLACES), len(TIMES)) == (6, 4)
    assert set(SHAPES) == set(OBJECTS)
    assert set(PAINT) == set(COLORS)


def test_scenes_cover_it_evenly() -> None:
    scenes = [numbered_scene(3, number) for number in range(3000)]
    assert scenes == [numbered_scene(3, number) for number in range(3000)]
    assert scenes != [numbered_scene(4, number) for number in range(3000)]
    groups = [group for scene in scenes for group in scene.objects]
    assert {group.count for group in groups} == {1, 2, 3}
    assert {len(scene.objects) for scene in scenes} == {1, 2}
    for values, known in (
        ([group.name for group in groups], OBJECTS),
        ([group.color for group in groups], COLORS),
        ([scene.place for scene in scenes], PLACES),
        ([scene.time for scene in scenes], TIMES),
        ([scene.weather for scene in scenes], WEATHERS),
    ):
        counted = Counter(values)
        assert set(counted) == set(known)
        assert max(counted.values()) < 2 * min(counted.values())
    assert frozenset().union(*(scene.facts() for scene in scenes)) <= set(all_facts())


@pytest.mark.parametrize(
    ("statement", "true"),
    [
        (Statement((Subject("house"),)), True),
        (Statement((Subject("house", "red", 2),), time="at night"), True),
        (Statement((Subject("house"), Subject("bus", "blue"))), True),
        (Statement(place="by the sea", weather="in the rain"), True),
        (Statement((Subject("house", "blue"),)), False),
        (Statement((Subject("bus", "red"),)), False),
        (Statement((Subject("house", None, 1),)), False),
        (Statement((Subject("house"),), time="at noon"), False),
    ],
)
def test_what_is_true_of_a_scene(statement: Statement, true: bool) -> None:
    assert (statement.facts() <= SCENE.facts()) is true


def test_captions_are_true_and_varied() -> None:
    rng = random.Random(0)
    said = set()
    for number in range(500):
        scene = numbered_scene(5, number)
        for statement in (full_statement(scene), random_statement(scene, rng)):
            assert statement.facts() <= scene.facts()
            said.add(phrase(statement, rng))
    words = [len(text.split()) for text in said]
    assert len(said) > 800
    assert min(words) <= 2
    assert max(words) > 12
    assert "buss" not in " ".join(said)
    assert not [text for text in said if re.search(r"\ba [aeiou]|\ban [^aeiou]|  |^\W", text)]


def test_a_full_caption_says_it_all_in_the_words_of_the_facts() -> None:
    rng = random.Random(1)
    for _ in range(50):
        text = caption(SCENE, rng)
        for part in ("two red houses", "blue bus", "by the sea", "at night", "in the rain"):
            assert part in text


def test_a_drawing_is_the_same_for_the_same_seed_and_alike_at_any_size() -> None:
    small = np.asarray(draw_scene(SCENE, (160, 120), 1), np.float64)
    assert (small == np.asarray(draw_scene(SCENE, (160, 120), 1))).all()
    assert (small != np.asarray(draw_scene(SCENE, (160, 120), 2))).any()
    large = draw_scene(SCENE, (1600, 1200), 1).resize((160, 120), Image.Resampling.BOX)
    assert np.abs(small - np.asarray(large)).mean() < 10


@pytest.mark.parametrize("name", OBJECTS)
def test_every_object_shows_its_colour(name: str) -> None:
    scene = Scene((Group(name, "red", 1),), "by the sea", "at noon", "in clear weather")
    pixels = np.asarray(draw_scene(scene, (320, 240), 4)).astype(int)
    red = (np.abs(pixels - PAINT["red"]).max(axis=2) < 60).mean()
    assert red > 0.02


def test_photos_with_exif_and_captions(drawn: Path) -> None:
    rows = [json.loads(line) for line in (drawn / "captions.jsonl").read_text().splitlines()]
    assert [row["file"] for row in rows] == sorted(path.name for path in drawn.glob("*.jpg"))
    hours = {"at dawn": 6, "at noon": 12, "at sunset": 19, "at night": 23}
    for row in rows:
        assert set(row) == {"file", "caption", "objects", "place", "time", "weather"}
        assert all(set(group) == {"name", "color", "count"} for group in row["objects"])
        assert row["place"] in row["caption"]
        assert row["time"] in row["caption"]
        with Image.open(drawn / row["file"]) as image:
            assert (image.format, image.size) == ("JPEG", (1600, 1200))
            taken = image.getexif().get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal]
        assert datetime.strptime(taken, "%Y:%m:%d %H:%M:%S").hour == hours[row["time"]]


def test_a_folder_with_other_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "holiday.jpg").write_bytes(b"precious")
    with pytest.raises(DemoFolderError, match=r"holiday\.jpg"):
        draw_photos(tmp_path, 3, 1)
    assert [path.name for path in tmp_path.iterdir()] == ["holiday.jpg"]


@pytest.mark.parametrize("captions", ["", "[]", '{"file": "scene-00000.jpg"}', "not JSON"])
def test_captions_of_another_program_are_left_alone(tmp_path: Path, captions: str) -> None:
    (tmp_path / "captions.jsonl").write_text(captions)
    (tmp_path / "scene-00000.jpg").write_bytes(b"precious")
    with pytest.raises(DemoFolderError):
        draw_photos(tmp_path, 3, 1)
    assert (tmp_path / "scene-00000.jpg").read_bytes() == b"precious"
    assert (tmp_path / "captions.jsonl").read_text() == captions


def test_a_second_demo_takes_the_place_of_the_first(tmp_path: Path) -> None:
    draw_photos(tmp_path, 5, 1)
    draw_photos(tmp_path, 3, 2)
    assert len(list(tmp_path.glob("*.jpg"))) == 3


def test_figures_of_a_perfect_and_of_a_blind_checkpoint() -> None:
    scenes = [numbered_scene(6, number) for number in range(60)]
    facts = sorted(set().union(*(scene.facts() for scene in scenes)))
    pictures = np.array([[fact in scene.facts() for fact in facts] for scene in scenes], np.float32)

    def knows_facts(texts: list[str]) -> np.ndarray:
        """Embed the phrases of the evaluation as the facts that they name."""
        return np.array([[_names(text, fact) for fact in facts] for text in texts], np.float32)

    perfect = retrieval_figures(scenes, pictures, knows_facts)
    assert (perfect.object_map, perfect.color_object_map, perfect.caption_r10) == (1, 1, 1)
    blind = retrieval_figures(
        scenes, pictures, lambda texts: np.ones((len(texts), len(facts)), np.float32)
    )
    assert blind.object_map < 0.4


def _names(text: str, fact: str) -> float:
    """Return the weight that a text gives to a circumstance or a fact "number color name"."""
    if fact in (*PLACES, *TIMES, *WEATHERS):
        return float(fact in text)
    number, color, name = fact.split()
    words = {"2": "two", "3": "three"}.get(number, "")
    if number == "1":
        return 0.0
    said = " ".join(part for part in (words, "" if color == "any" else color, name) if part)
    return float(re.search(rf"\b{said}", text) is not None) * (2 if color != "any" else 1)


def test_mini_searches_as_well_as_it_must(
    mini: Checkpoint, mini_towers: tuple[ImageTower, TextTower]
) -> None:
    """This is a quick look. The model card has the figures for 1,000 pictures, from `python -m
    sigseek.demo.training.evaluate`.
    """
    images, texts = mini_towers
    scenes = [numbered_scene(11, number) for number in range(150)]
    pixels = np.stack(
        [
            mini.preprocessing.resize(draw_scene(scene, (400, 300), n))
            for n, scene in enumerate(scenes)
        ]
    )
    figures = retrieval_figures(scenes, images.embed(pixels), texts.embed)
    assert figures.object_map > 0.95
    assert figures.color_object_map > 0.9
    assert figures.object_time_map > 0.9
    assert figures.object_place_map > 0.9
    assert figures.caption_r10 > 0.95


def test_the_demo_command(tmp_path: Path, run: Run) -> None:
    done = run("demo", "--folder", tmp_path / "demo", "--pictures", 12, "--seed", 5)
    line = done.stdout.splitlines()[-1].removeprefix("In the browser:  ")
    program, _, rest = line.partition(" ")
    assert rest == f"serve --open --library {tmp_path / 'demo' / '.sigseek'}"
    # The name alone is not found unless the virtual environment is activated.
    subprocess.run(["sh", "-c", f"{program} --version"], check=True, cwd=tmp_path)
    again = run("demo", "--folder", tmp_path / "demo", "--pictures", 12, "--seed", 5)
    assert "12 pictures: 12 added" in done.stdout
    assert "12 pictures: 12 unchanged" in again.stdout
    queries, _, most_like = done.stdout.partition("\nlike scene-00000.jpg\n")
    legend = "The number is how likely a photo belongs to the answer"
    assert (queries.count(legend), most_like.count(legend)) == (1, 0)
    assert f"\n\n{LIKENESS_LEGEND}\n" in most_like
    shown = len(re.findall(r"^ +\d+  \d\.\d{3}  ", done.stdout, re.MULTILINE))
    assert shown >= 5 + 3, "the five most alike, and a match or more for each text"
    page = (tmp_path / "demo" / "results.html").read_text()
    assert page.count("data:image/jpeg;base64,") == shown + 1, "the photo that others are like"
    assert not re.search(r"""(src|href)=["'](?!data:|file:)""", page), "opens offline"
    fewer = run("demo", "--folder", tmp_path / "demo", "--pictures", 3, "--seed", 5)
    assert "9 missing" in fewer.stdout
    assert "not there now" not in fewer.stdout

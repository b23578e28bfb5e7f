"""`sigseek eval` as a person runs it: the figures are worked out a second time, from
transformers' embeddings.
"""

import json
import re
import shlex
import shutil
from pathlib import Path

import click
import numpy as np
import pytest

import sigseek
from sigseek.cli.evaluate import evaluate as command
from sigseek.evaluation.run import _query_times, best_evidence, evaluate
from sigseek.search.calibration import Calibration
from sigseek.search.labels import DEFAULT_TEMPLATE
from sigseek.siglip import Checkpoint, ImageTower, TextTower
from sigseek.siglip.shared_text_tower import SharedTextTower
from tests.checkpoints import copy_mini
from tests.conftest import ROOT, Run
from tests.test_shared_text_tower import CountedTower

pytestmark = pytest.mark.both_databases

KEYS = [
    "text_to_image", "image_to_text", "no_match_auroc", "ece", "queries", "images",
    "zero_shot_accuracy", "no_match_auroc_raw", "ece_before", "calibration", "skipped",
    "list_precision", "list_recall",
    "latency_ms_p50", "latency_ms_p99", "model",
]  # fmt: skip


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Mini without a calibration."""
    directory = copy_mini(tmp_path_factory.mktemp("bare") / "mini")
    (directory / "calibration.json").unlink(missing_ok=True)
    return directory


def scenes(drawn: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in (drawn / "captions.jsonl").read_text().splitlines()]


def embedded(
    mini: Checkpoint, photos: list[Path], texts: list[str]
) -> tuple[np.ndarray, np.ndarray]:
    from sigseek.indexer.decoding.decode import decode_photo
    from sigseek.siglip.runtimes.torch import TorchImageTower, TorchTextTower

    pixels = np.stack([decode_photo(photo, mini.preprocessing).pixels for photo in photos])
    return TorchImageTower(mini, "cpu", "fp32").embed(pixels), TorchTextTower(
        mini, "cpu", "fp32"
    ).embed(texts)


def places(cosines: np.ndarray) -> np.ndarray:
    """Return the place of each row's own column."""
    return (cosines >= np.diag(cosines)[:, None]).sum(axis=1)


def write_lines(file: Path, *records: object) -> Path:
    file.write_text(
        "".join(
            f"{record if isinstance(record, str) else json.dumps(record)}\n" for record in records
        )
    )
    return file


def test_figures(tmp_path: Path, drawn: Path, bare: Path, mini: Checkpoint, run: Run) -> None:
    """The captions have a word struck out, so that mini is not always right."""
    records = [
        {"file": scene["file"], "caption": scene["caption"].rsplit(" ", 2)[0]}
        for scene in scenes(drawn)
    ]
    assert len({record["caption"] for record in records}) == 40
    source = write_lines(tmp_path / "captions.jsonl", *records)
    done = run(
        "eval", source, "--pictures", drawn, "--model", bare, "--precision", "fp32", "--json"
    )
    found = json.loads(done.stdout)
    assert sorted(found) == sorted(KEYS)
    images, texts = embedded(
        mini,
        [drawn / record["file"] for record in records],
        [record["caption"] for record in records],
    )
    for name, cosines in (("text_to_image", texts @ images.T), ("image_to_text", images @ texts.T)):
        ranked = places(cosines)
        assert found[name] == {
            "R@1": pytest.approx(np.mean(ranked == 1)),
            "R@5": pytest.approx(np.mean(ranked <= 5)),
            "R@10": pytest.approx(np.mean(ranked <= 10)),
            "mAP": pytest.approx(np.mean(1 / ranked)),
        }
    assert (found["queries"], found["images"], found["skipped"], found["model"]) == (
        40,
        40,
        0,
        str(bare),
    )
    assert found["zero_shot_accuracy"] is None
    assert found["calibration"] == "cross-fitted"
    assert 0 <= found["ece"] < found["ece_before"] < 1
    assert 0.5 < found["no_match_auroc_raw"] <= 1
    assert 0 < found["latency_ms_p50"] <= found["latency_ms_p99"]
    assert not (tmp_path / "library").exists()


def test_a_table_and_a_report_for_people(tmp_path: Path, drawn: Path, bare: Path, run: Run) -> None:
    shutil.copytree(drawn, tmp_path / "photos")
    (tmp_path / "photos" / "scene-00003.jpg").write_bytes(b"no picture")
    done = run("eval", "photos/captions.jsonl", "--model", bare, "--report", "report.html")
    lines = done.stdout.splitlines()
    assert lines[0] == f"{bare}: 39 pictures, 39 captions, 1 skipped"
    assert lines[2].split() == ["R@1", "R@5", "R@10", "mAP"]
    for line, direction in zip(lines[3:5], ("text to image", "image to text"), strict=True):
        assert re.fullmatch(rf"{direction}( +[01]\.\d{{3}}){{4}}", line)
        assert len(line) == len(lines[2])
    assert re.fullmatch(
        r"no-match AUROC +[01]\.\d{3}  by evidence, [01]\.\d{3} by cosine", lines[6]
    )
    assert re.fullmatch(
        r"ECE +0\.\d{3}  -> 0\.\d{3} with a calibration fitted to the other half of the pictures",
        lines[7],
    )
    assert re.fullmatch(r"default list +[01]\.\d{3}  recall, [01]\.\d{3} precision", lines[8])
    assert re.fullmatch(
        r"query +[\d.]+  ms in the median, [\d.]+ ms at the 99th percentile", lines[9]
    )
    assert f"warning: {tmp_path}/photos/scene-00003.jpg: " in done.stderr
    assert f"written: {tmp_path / 'report.html'}" in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["photos", "report.html"]
    page = (tmp_path / "report.html").read_text()
    assert not re.search(r"""(src|href)=["'](?!data:)|url\(|@import|<script|<link""", page), (
        "opens offline"
    )
    assert "39 captions of 39 pictures. 1 could not be used." in page


def test_class_folders(tmp_path: Path, drawn: Path, bare: Path, mini: Checkpoint, run: Run) -> None:
    """Drawings sorted by the time of the day in them."""
    photos = []
    for scene in scenes(drawn):
        folder = tmp_path / "times" / str(scene["time"]).replace(" ", "_")
        folder.mkdir(parents=True, exist_ok=True)
        photos.append(Path(shutil.copy(drawn / scene["file"], folder)))
    labels = sorted({str(scene["time"]) for scene in scenes(drawn)})
    assert len(labels) == 4
    images, texts = embedded(mini, photos, [DEFAULT_TEMPLATE.format(label) for label in labels])
    truth = [labels.index(str(scene["time"])) for scene in scenes(drawn)]
    done = run("eval", "times", "--model", bare, "--precision", "fp32")
    accuracy = np.mean((images @ texts.T).argmax(axis=1) == truth)
    assert f"zero-shot accuracy    {accuracy:.3f}" in done.stdout
    assert accuracy > 0.25, "better than chance"
    assert "no-match" not in done.stdout, "every class has pictures in any half"
    assert f"{bare}: 40 pictures, 40 captions\n" in done.stdout


def test_karpathys_split(tmp_path: Path, drawn: Path, bare: Path, run: Run) -> None:
    images = [
        {
            "filename": scene["file"],
            "filepath": drawn.name,
            "split": "test" if number < 6 else "train",
            "sentences": [{"raw": scene["caption"]}, {"raw": f"number {number}"}],
        }
        for number, scene in enumerate(scenes(drawn))
    ]
    (tmp_path / "dataset_coco.json").write_text(json.dumps({"images": images, "dataset": "coco"}))
    asked = ("eval", "dataset_coco.json", "--pictures", drawn.parent, "--model", bare)
    found = json.loads(run(*asked, "--json").stdout)
    assert (found["images"], found["queries"], found["skipped"]) == (6, 12, 0)
    assert (found["text_to_image"]["R@10"], found["image_to_text"]["R@5"] > 0.9) == (1, True)
    assert (found["ece"], found["calibration"]) == (None, None), (
        "six pictures are too few to fit to"
    )
    assert "too few pictures here to fit a calibration" in run(*asked).stdout
    done = run(*asked, "--split", "val", check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert "has no images of the split val; choose one of its splits: test, train" in done.stderr


def test_what_is_wrong_is_told_by_line_and_passed_over(
    tmp_path: Path, drawn: Path, bare: Path, run: Run
) -> None:
    good = [{"file": scene["file"], "caption": scene["caption"]} for scene in scenes(drawn)[:3]]
    gone = [{"file": f"gone{number}.jpg", "caption": "a house"} for number in range(6)]
    source = write_lines(tmp_path / "captions.jsonl", good[0], "{broken", good[1], *gone, good[2])
    done = run("eval", source, "--pictures", drawn, "--model", bare, "--json")
    found = json.loads(done.stdout)
    assert (found["images"], found["skipped"]) == (3, 7)
    warnings = [line for line in done.stderr.splitlines() if line.startswith("warning: ")]
    assert warnings[0].startswith(f"warning: {source}: line 2: not JSON: ")
    assert warnings[1:] == [
        *(
            f"warning: {source}: line {number + 4}: no picture gone{number}.jpg in {drawn}"
            for number in range(4)
        ),
        "warning: and 2 more",
    ]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{broken\n", r"no picture with a caption in .*captions\.jsonl: line 1: not JSON: .*"),
        (
            '{"file": "gone.jpg", "caption": "a house"}\n',
            r"no picture with a caption in .*: line 1: no picture gone\.jpg in .*",
        ),
        (
            '{"file": "bad.jpg", "caption": "a house"}\n',
            r"none of the pictures can be used, for example .*bad\.jpg \(.*\); check the files",
        ),
    ],
)
def test_nothing_usable(tmp_path: Path, bare: Path, run: Run, content: str, said: str) -> None:
    (tmp_path / "bad.jpg").write_bytes(b"no picture")
    (tmp_path / "captions.jsonl").write_text(content)
    done = run("eval", "captions.jsonl", "--model", bare, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    last = done.stderr.splitlines()[-1]
    assert re.fullmatch(f"error: {said}", last)
    assert done.stderr.count("error:") == 1


def test_a_report_that_has_no_folder_is_told_before_anything_is_embedded(
    tmp_path: Path, drawn: Path, bare: Path, run: Run
) -> None:
    done = run(
        "eval", drawn / "captions.jsonl", "--model", bare, "--report", "gone/x.html", check=False
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert (
        done.stderr.lower()
        == "error: gone/x.html cannot be written: there is no folder gone; create it first\n"
    )


@pytest.mark.parametrize("calibrated", [True, False])
def test_the_default_list_is_that_of_a_search(
    tmp_path: Path, drawn: Path, bare: Path, calibrated: bool
) -> None:
    """Every second picture has two captions, one caption belongs to many pictures, and captions do
    not tell all: they name one object of several.
    """
    records = []
    for place, scene in enumerate(scenes(drawn)):
        named = f"a {scene['objects'][0]['name']}"  # type: ignore[index]
        captions = [named, str(scene["time"]), scene["caption"]]
        records.append({"file": scene["file"], "captions": captions[: 2 + place % 2]})
    source = write_lines(tmp_path / "captions.jsonl", *records)
    wanted: dict[str, set[str]] = {}
    for record in records:
        for caption in record["captions"]:
            wanted.setdefault(caption, set()).add(str(record["file"]))
    model = "mini" if calibrated else str(bare)
    with sigseek.open(tmp_path / "library", model=model, precision="fp32") as library:
        library.index(drawn)
        library.index()  # makes the rest of what matches are judged against
        found = evaluate(library, source, pictures=drawn)
        listed = {
            caption: {Path(hit.path).name for hit in library.search(caption, 40)}
            for caption in wanted
        }
        assert library.judged_by == ("calibrated" if calibrated else "uncalibrated")
    right = sum(len(listed[caption] & files) for caption, files in wanted.items())
    assert 0 < right < sum(map(len, listed.values()))
    assert found.list_precision == right / sum(map(len, listed.values()))
    assert found.list_recall == right / sum(map(len, wanted.values()))


def test_the_calibration_of_the_checkpoint_is_used(tmp_path: Path, drawn: Path) -> None:
    given = copy_mini(tmp_path / "mini")
    always = Calibration(1e-6, 100.0, 1.0, 0.0, 0.0, 100, 100)  # it says yes to everything
    (given / "calibration.json").write_text(always.as_json())
    with sigseek.open(tmp_path / "library", model=str(given)) as library:
        found = evaluate(library, drawn / "captions.jsonl")
    assert found.calibration == "given"
    assert found.ece == pytest.approx(0.9), "one of the ten that are shown matches"
    assert not (tmp_path / "library").exists()


def test_a_library_lends_its_checkpoint_and_stays_as_it_is(
    tmp_path: Path, drawn: Path, bare: Path, run: Run
) -> None:
    with sigseek.open(tmp_path / "library", model=str(bare)) as library:
        library.index(drawn)
        before = library.status()
    few = write_lines(tmp_path / "few.jsonl", *scenes(drawn)[:5])
    assert json.loads(
        run("eval", few, "--pictures", drawn, "--library", tmp_path / "library", "--json").stdout
    )["model"] == str(bare)
    with sigseek.open(tmp_path / "library") as library:
        after = library.status()
    assert (after.photos, after.checkpoints) == (before.photos, before.checkpoints)


def test_the_best_evidence(drawn: Path, bare: Path) -> None:
    with sigseek.open("nowhere", model=str(bare), precision="fp32") as library:
        yardstick = library.yardstick()
        vectors, _ = library.embed_photos(sorted(drawn.glob("*.jpg"))[:8])
        texts = library.embed_texts(["a house", "a red car", "sdfsdf"])
    images = np.stack(list(vectors.values()))
    biases = np.sort(images @ yardstick.common.T, axis=1)[:, -20:].mean(axis=1)
    floors = np.sort(texts @ yardstick.pictures.T, axis=1)[:, -2:].mean(axis=1)
    by_hand = (texts @ images.T - 0.5 * biases - 0.2 * floors[:, None]).max(axis=1)
    assert best_evidence(texts, images, yardstick) == pytest.approx(by_hand, abs=1e-6)
    assert best_evidence(texts[:0], images, yardstick).shape == (0,)


def test_the_command_lines_of_the_docs_are_valid() -> None:
    lines = re.findall(
        r"^sigseek eval (.*)$", (ROOT / "docs" / "evaluation.md").read_text(), re.MULTILINE
    )
    assert len(lines) == 3
    for line in lines:
        assert isinstance(command.make_context("eval", shlex.split(line)), click.Context)


def test_queries_that_are_timed_are_embedded_though_the_tower_has_kept_them(
    mini_towers: tuple[ImageTower, TextTower], mini: Checkpoint
) -> None:
    """With few captions, as those of class folders, the time to look one up was told."""
    counted = CountedTower(mini_towers[1])
    embed = SharedTextTower(counted).embed
    queries = ("a house", "a boat", "a tree")
    embed(queries)
    counted.passes.clear()
    times = _query_times(embed, queries, np.zeros((1, mini.dimension), np.float32), mini.scoring)
    assert len(times) == 3
    assert [len(texts) for texts in counted.passes] == [1, 1, 1, 1], (
        "one to warm up, and each query"
    )

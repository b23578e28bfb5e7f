"""Choosing a checkpoint: the list of published ones, their speed here, and the note on a run that
takes over an hour.
"""

import json
import shutil
from pathlib import Path

import pytest
from transformers import SiglipConfig

import sigseek
from sigseek.cli.models import models as models_command
from sigseek.indexer.speed_notes import SpeedNotes
from sigseek.operations.models import ListedCheckpoint
from sigseek.siglip.published import FAST, PUBLISHED, find_published
from sigseek.siglip.speed import MeasuredSpeed, keep_speed, measured_speeds
from sigseek.siglip.tower_work import VisionShape, read_vision_shape
from tests.checkpoints import weight_bytes
from tests.conftest import Run
from tests.listeners import Heard

BASE = "google/siglip-base-patch16-224"
BASE_SPEED = MeasuredSpeed(BASE, 35.375, "cpu", "fp32", 0.4)


@pytest.fixture
def cache(own_cache: Path) -> Path:
    return own_cache


def listed(model: str) -> ListedCheckpoint:
    (found,) = (one for one in sigseek.models() if one.model == model)
    return found


def test_the_work_of_the_base_tower_is_known(tmp_path: Path) -> None:
    SiglipConfig().save_pretrained(tmp_path)
    shape = read_vision_shape(tmp_path)
    assert shape == VisionShape(768, 12, 3072, 224, 16)
    assert shape.patches == 196
    # 12 layers x 196 patches x (12 x 768 x 768 + 2 x 196 x 768) products, the patches and the head
    layers = 12 * 196 * (12 * 768 * 768 + 2 * 196 * 768)
    others = 196 * 768 * 768 + 2 * 768 * 768 * (196 + 1) + 2 * 196 * 768 + 2 * 768 * 3072
    assert shape.gflop == pytest.approx(2 * (layers + others) / 1e9)
    assert 35.2 < shape.gflop < 35.9
    published = find_published(BASE)
    assert published is not None
    assert weight_bytes(SiglipConfig()) == pytest.approx(published.download_bytes, abs=100_000), (
        "and a header"
    )


def test_published_checkpoints_are_those_of_the_sources(cache: Path) -> None:
    found = {one.model: one for one in sigseek.models()}
    assert len(found) == len(PUBLISHED) == 25
    fast, base = found[FAST], found[BASE]
    assert (fast.imagenet, fast.coco_text_to_image, fast.coco_image_to_text) == (74.0, 47.2, 63.7)
    assert (base.imagenet, base.coco_text_to_image, base.coco_image_to_text) == (76.2, 47.2, 64.5)
    assert (fast.patches, base.patches) == (64, 196)
    assert (fast.languages, base.languages) == ("many", "English")
    assert fast.source is not None
    assert fast.source.endswith("/README_siglip2.md")
    assert min(found.values(), key=lambda one: one.gflop) is fast
    assert 0.3 < fast.gflop / base.gflop < 0.34, "a third of the work"
    giant = found["google/siglip2-giant-opt-patch16-384"]
    assert (giant.image_size, giant.patches, giant.coco_text_to_image) == (384, 576, 56.1)
    large = found["google/siglip-so400m-patch14-384"]
    assert (large.imagenet, large.coco_text_to_image, large.coco_image_to_text) == (
        83.08,
        54.21,
        72.42,
    )
    assert large.source is not None
    assert large.source.endswith("/open_clip/blob/main/docs/PRETRAINED.md")
    unknown = found["google/siglip-so400m-patch16-256-i18n"]
    assert (unknown.imagenet, unknown.source, unknown.patches) == (None, None, 256)
    assert [one for one in found.values() if one.source is None] == [unknown]
    assert find_published(f"{FAST}@main") == find_published(FAST)
    assert find_published("mini") is None


def test_seconds_are_measured_or_follow_from_the_work(cache: Path) -> None:
    assert listed(BASE).seconds_per_1000_photos is None
    assert not listed(BASE).measured
    keep_speed(MeasuredSpeed(BASE, 35.375, "cpu", "bf16", 0.1))
    keep_speed(BASE_SPEED)
    keep_speed(MeasuredSpeed("mini", 1.0, "cpu", "fp32", 0.03))
    base, fast = listed(BASE), listed(FAST)
    assert (base.seconds_per_1000_photos, base.measured, base.precision) == (400.0, True, "fp32")
    assert not fast.measured
    assert (fast.measured_with, fast.device) == (BASE, "cpu")
    published = find_published(FAST)
    assert published is not None
    assert fast.seconds_per_1000_photos == pytest.approx(
        400 * published.shape.gflop / 35.375, abs=0.1
    )
    keep_speed(MeasuredSpeed(BASE, 35.375, "cpu", "bf16", 0.2))
    assert listed(BASE).seconds_per_1000_photos == 200.0, "the latest"
    assert len(measured_speeds()) == 3, "one for each checkpoint, device and precision"


@pytest.mark.parametrize(
    "content",
    ["", "{", "3", "[3]", '[{"model": "mini"}]', '{"a": 1}', '["x"]'],
)
def test_a_damaged_file_of_speeds_is_none(cache: Path, content: str) -> None:
    keep_speed(BASE_SPEED)
    (cache / "speeds.json").write_text(content)
    assert measured_speeds() == ()
    keep_speed(BASE_SPEED)
    assert measured_speeds() == (BASE_SPEED,)


def test_speeds_that_cannot_be_kept_are_not_missed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("SIGSEEK_CACHE", str(tmp_path / "file" / "cache"))
    keep_speed(BASE_SPEED)
    assert measured_speeds() == ()


def test_a_long_run_is_told_of_before_it_begins(cache: Path) -> None:
    assert SpeedNotes(BASE, 35.375, 0).before(1_000_000) is None, "nothing is known yet"
    keep_speed(BASE_SPEED)
    assert SpeedNotes(BASE, 35.375, 0).before(8_999) is None, "59 minutes 59.6 seconds"
    notes = SpeedNotes(BASE, 35.375, 0)
    assert str(notes.before(40_000)) == (
        f"40,000 photos take about 4 h 30 min with {BASE} on this machine, and all 40,000 about "
        f"87 min with {FAST}. To use that one, stop this run and start it again with "
        f"model='{FAST}'. To compare them: sigseek models"
    )
    assert notes.after_batch(64, 60.0, 40_000) is None, "it is said once"


def test_a_long_run_is_told_of_after_the_first_batches(cache: Path) -> None:
    notes = SpeedNotes(BASE, 35.375, 0)
    assert notes.after_batch(16, 16.0, 100_000) is None, "too few photos to tell"
    assert notes.after_batch(32, 16.0, 7_000) is None, "58 minutes"
    keep_speed(MeasuredSpeed(FAST, 11.6, "cpu", "fp32", 0.2))
    assert str(notes.after_batch(48, 24.0, 10_000)) == (
        f"10,000 photos take about 83 min with {BASE} on this machine, and all 10,048 about "
        f"33 min with {FAST}. To use that one, stop this run and start it again with "
        f"model='{FAST}'. To compare them: sigseek models"
    )


def test_another_checkpoint_is_not_named_where_it_saves_nothing(cache: Path) -> None:
    """The other checkpoint would have to embed the photos, too, that are embedded already."""
    keep_speed(BASE_SPEED)
    assert str(SpeedNotes(BASE, 35.375, 500_000).before(10_000)) == (
        f"10,000 photos take about 67 min with {BASE} on this machine. "
        "To see how long others take: sigseek models"
    )
    keep_speed(MeasuredSpeed(FAST, 11.6, "cpu", "fp32", 0.4))
    note = str(SpeedNotes(FAST, 11.6, 0).before(1_000_000))
    assert note.startswith(f"1,000,000 photos take about 5 days with {FAST} on this machine. To")


def test_indexing_measures_and_tells(cache: Path, tmp_path: Path, drawn: Path, run: Run) -> None:
    with sigseek.open(tmp_path / "library", model="mini") as library:
        heard = Heard()
        report = library.index(drawn, listener=heard)
        assert report.added == 40
        assert not any("photos take about" in line for line in heard.lines)
    (speed,) = measured_speeds()
    assert (speed.model, speed.device, speed.precision) == ("mini", "cpu", report.precision)
    assert speed.seconds_per_photo == pytest.approx(1 / report.images_per_second)
    lines = [json.loads(line) for line in run("models", "--json").stdout.splitlines()]
    assert len(lines) == 25
    assert {line["measured_with"] for line in lines} == {"mini"}
    assert not any(line["measured"] for line in lines)

    keep_speed(MeasuredSpeed("mini", speed.gflop, "cpu", speed.precision, 1000.0))
    keep_speed(MeasuredSpeed(FAST, 11.6, "cpu", "fp32", 0.5))
    few = tmp_path / "few"
    few.mkdir()
    for path in sorted(drawn.glob("*.jpg"))[:8]:
        shutil.copy(path, few)
    said = run("index", few, "--library", tmp_path / "other", "--model", "mini").stderr
    assert (
        "8 photos take about 2 h 10 min with mini on this machine, and all 8 about 1 min with "
        f"{FAST}. To use that one, stop this run and start it again with --model {FAST}. "
        "To compare them: sigseek models\n"
    ) in said
    assert len(measured_speeds()) == 2, "eight photos are too few to measure"


def test_the_rate_of_a_run_itself_tells(
    cache: Path, tmp_path: Path, drawn: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sigseek.indexer.speed_notes.LONG", 0.0)
    with sigseek.open(tmp_path / "library", model="mini") as library:
        heard = Heard()
        library.index(drawn, listener=heard)
    (line,) = (line for line in heard.lines if "photos take about" in line)
    assert line.endswith("with mini on this machine. To see how long others take: sigseek models")


def test_the_table_says_what_it_rests_on(cache: Path, run: Run) -> None:
    nothing = run("models").stdout
    assert "not measured yet" in nothing.splitlines()[1]
    keep_speed(BASE_SPEED)
    head, base, *_, note = run("models").stdout.splitlines()
    assert head.split()[0] == "checkpoint"
    assert base.split() == (f"{BASE} 47.2 64.5 76.2 812.6 MB 203 M English 224 px 196 400".split())
    assert note == (
        f"Seconds: ~ is an estimate. {BASE} was measured on this machine (cpu, fp32), and the "
        "others follow from the work of their image towers. Reading the photos takes its time "
        "with each of them."
    )
    assert models_command.name == "models"

import json
import math
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image
from transformers import (
    SiglipForImageClassification,
    SiglipImageProcessorPil,
    SiglipModel,
    SiglipTokenizer,
    pipeline,
)

import sigseek
from sigseek.search.calibration import Calibration
from sigseek.siglip.checkpoint import MINI_DIRECTORY
from sigseek.storage import Catalog
from tests.conftest import Run
from tests.databases import Databases
from tests.photos import save

pytestmark = pytest.mark.both_databases

LABELS = ["a house", "two red cars", "at night", "a Duck!", "an airplane in the rain"]


@pytest.mark.parametrize("template", ["This is a photo of {}.", "{} in a drawing"])
def test_scores_are_those_of_transformers_pipeline(
    drawn: Path, tmp_path: Path, template: str
) -> None:
    """The photos are PNGs. JPEGs are decoded at a reduced size, which moves a score that is near
    neither 0 nor 1 by more than rounding does.
    """
    photos = [tmp_path / f"{photo.stem}.png" for photo in sorted(drawn.glob("*.jpg"))[:3]]
    for photo in photos:
        Image.open(drawn / f"{photo.stem}.jpg").save(photo)
    classifier = pipeline(
        "zero-shot-image-classification",
        model=SiglipModel.from_pretrained(MINI_DIRECTORY, dtype="float32"),
        tokenizer=SiglipTokenizer.from_pretrained(MINI_DIRECTORY),
        image_processor=SiglipImageProcessorPil.from_pretrained(MINI_DIRECTORY),
        device="cpu",
    )
    assert not isinstance(classifier.model, SiglipForImageClassification)
    with sigseek.open(drawn.parent / "nowhere", model="mini", precision="fp32") as library:
        results = library.classify(photos, LABELS, template)
    assert [result.path for result in results] == [str(photo) for photo in photos]
    for photo, result in zip(photos, results, strict=True):
        theirs = classifier(str(photo), candidate_labels=LABELS, hypothesis_template=template)
        ours = {scored.label: scored.score for scored in result.scores}
        assert ours == pytest.approx({row["label"]: row["score"] for row in theirs}, abs=1e-4)
        scores = [scored.score for scored in result.scores]
        assert scores == sorted(scores, reverse=True)


def test_probabilities_are_those_of_the_calibration(
    mini_library: Path, drawn: Path, tmp_path: Path, databases: Databases
) -> None:
    photo = next(drawn.glob("*.jpg"))
    shipped = (MINI_DIRECTORY / "calibration.json").read_text()
    own = replace(Calibration.from_json(shipped), slope=0.5, intercept=2.0)
    directory = databases.copy(mini_library, tmp_path / "library")
    with closing(Catalog(directory)) as catalog, catalog.transaction() as transaction:
        transaction.put_calibration(catalog.checkpoints()[0].id, own.as_json())
    for where, calibration in (
        (directory, own),
        (tmp_path / "nowhere", Calibration.from_json(shipped)),
    ):
        with sigseek.open(where, model="mini") as library:
            (result,) = library.classify([photo], LABELS)
        for scored in result.scores:
            logit = math.log(scored.score / (1 - scored.score))
            odds = calibration.slope * logit + calibration.intercept
            assert scored.probability == pytest.approx(1 / (1 + math.exp(-odds)), abs=1e-4)


def test_a_file_that_cannot_be_used_costs_the_others_nothing(
    drawn: Path, tmp_path: Path, run: Run
) -> None:
    good, bad, gone = next(drawn.glob("*.jpg")), tmp_path / "bad.jpg", tmp_path / "gone.jpg"
    bad.write_text("no picture")
    done = run(
        "classify", bad, good, gone, "--label", "a house", "--model", "mini", "--json", check=False
    )
    assert done.returncode == 1
    assert [json.loads(line)["path"] for line in done.stdout.splitlines()] == [str(good)]
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert errors == [
        f"error: {gone}: there is no such file; choose another photo",
        f"error: {bad}: not a picture, or its header is damaged; choose another photo",
    ]
    save(tmp_path / "a.jpg")
    done = run("classify", "a.jpg", "./a.jpg", "--label", "a house", "--model", "mini", "--json")
    assert [json.loads(line)["path"] for line in done.stdout.splitlines()] == [
        str(tmp_path / "a.jpg")
    ] * 2
    with sigseek.open("nowhere", model="mini") as library:
        with pytest.raises(sigseek.DecodeError, match="cannot be used"):
            library.classify([good, bad], ["a house"])
        with pytest.raises(sigseek.QueryError, match="photos must be a list, and is"):
            library.classify(str(good), ["a house"])


@pytest.mark.parametrize(
    ("labels", "template", "said"),
    [
        ([], "a {}", "no label"),
        (["cat", " "], "a {}", "empty"),
        (["cat"], "a photo", r"has no \{\}"),
    ],
)
def test_bad_questions(drawn: Path, labels: list[str], template: str, said: str) -> None:
    photo = next(drawn.glob("*.jpg"))
    with (
        sigseek.open("nowhere", model="mini") as library,
        pytest.raises(sigseek.QueryError, match=said),
    ):
        library.classify([photo], labels, template)

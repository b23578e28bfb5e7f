from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sigseek.evaluation.caption_files import read_captions
from sigseek.evaluation.captions import CaptionedPicture, CaptionedPictures
from sigseek.evaluation.measure import best_logits, measure, no_match_auroc
from sigseek.evaluation.metrics import rank
from sigseek.evaluation.results import Histogram, Miss, ReliabilityBin
from sigseek.results import record_fields
from sigseek.siglip import Checkpoint, Scoring
from sigseek.siglip.scoring import sigmoid

SCORING = Scoring(logit_scale=float(np.log(10)), logit_bias=-5.0)


def captioned(*captions: tuple[str, ...], classes: tuple[str, ...] = ()) -> CaptionedPictures:
    pictures = tuple(
        CaptionedPicture(Path(f"/{number}.jpg"), own) for number, own in enumerate(captions)
    )
    return CaptionedPictures(pictures, classes=classes)


def floats(*rows: tuple[float, ...]) -> np.ndarray:
    return np.array(rows, np.float32)


PICTURES = captioned(("cat", "pet"), ("dog", "pet"), ("car",))
IMAGES = np.eye(3, dtype=np.float32)
# cat is right, pet has two right pictures in first and second place, dog finds the cat first, car
# comes last.
TEXTS = floats((1, 0, 0), (0.8, 0.6, 0), (0.8, 0.6, 0), (0.8, 0.6, 0))


def test_the_figures_of_known_embeddings() -> None:
    found = measure(PICTURES, IMAGES, TEXTS, sigmoid, SCORING, model="known")
    assert (found.queries, found.images, found.skipped, found.model) == (5, 3, 0, "known")
    # The queries, pet twice: places 1, 1, 1, 2, 3.
    assert found.text_to_image == pytest.approx(
        {"R@1": 0.6, "R@5": 1, "R@10": 1, "mAP": (1 + 1 + 1 + 1 / 2 + 1 / 3) / 5}
    )
    # The texts for the first picture: cat 1, then pet, dog and car alike. So cat 1, pet 4. For the
    # second: pet, dog and car alike: 2 and 3. For the third all four alike: 4.
    assert found.image_to_text == pytest.approx(
        {
            "R@1": 1 / 3,
            "R@5": 1,
            "R@10": 1,
            "mAP": ((1 + 2 / 4) / 2 + (1 / 2 + 2 / 3) / 2 + 1 / 4) / 3,
        }
    )
    assert found.zero_shot_accuracy is None
    assert found.misses == (
        Miss(
            "car",
            Path("/2.jpg"),
            3,
            pytest.approx(sigmoid_of(-5)),
            Path("/0.jpg"),
            pytest.approx(sigmoid_of(3)),
        ),
        Miss(
            "dog",
            Path("/1.jpg"),
            2,
            pytest.approx(sigmoid_of(1)),
            Path("/0.jpg"),
            pytest.approx(sigmoid_of(3)),
        ),
    )


def sigmoid_of(logit: float) -> float:
    return float(1 / (1 + np.exp(-logit)))


def test_pairs_by_logit() -> None:
    histogram = measure(PICTURES, IMAGES, TEXTS, sigmoid, SCORING).histogram
    assert isinstance(histogram, Histogram)
    bins = {
        round(low, 1): (matching, others)
        for low, matching, others in zip(
            histogram.edges, histogram.matching, histogram.others, strict=False
        )
        if matching or others
    }
    # Cosines of 0, 0.6, 0.8 and 1 are logits of -5, 1, 3 and 5; bins are 0.1 wide, the last one
    # closed.
    assert bins == {-5.0: (1, 4), 1.0: (2, 1), 3.0: (1, 2), 4.9: (1, 0)}
    assert (histogram.edges[0], histogram.edges[-1]) == pytest.approx((-5, 5))
    assert len(histogram.edges) == 101


def test_calibration_is_judged_on_the_pairs_that_are_shown() -> None:
    """There are fifty pictures, each with a caption of its own that scores 1 and nothing else."""
    names = captioned(*((f"thing {number}",) for number in range(50)))
    found = measure(
        names,
        np.eye(50, dtype=np.float32),
        np.eye(50, dtype=np.float32),
        lambda logits: (logits > 0) * 1.0,
        SCORING,
    )
    assert found.reliability == (ReliabilityBin(0, 0, 450), ReliabilityBin(1, 1, 50))
    assert found.ece == 0
    wrong = sigmoid_of(-5)  # both for 0.9 of the pairs, 1 - sigmoid(5) for the rest
    assert found.ece_before == pytest.approx(wrong, abs=1e-6)
    assert [pool.count for pool in found.reliability_before] == [450, 50]


def test_without_a_calibration_one_is_fitted() -> None:
    names = captioned(*((f"thing {number}",) for number in range(50)))
    found = measure(
        names, np.eye(50, dtype=np.float32), np.eye(50, dtype=np.float32), None, SCORING
    )
    assert found.calibration == "cross-fitted"
    assert found.ece == pytest.approx(0, abs=1e-3)
    assert found.ece_before == pytest.approx(sigmoid_of(-5), abs=1e-6)
    given = measure(
        names, np.eye(50, dtype=np.float32), np.eye(50, dtype=np.float32), sigmoid, SCORING
    )
    assert (given.calibration, given.ece) == ("given", given.ece_before)


def test_too_few_pictures_to_fit_a_calibration_to() -> None:
    found = measure(PICTURES, IMAGES, TEXTS, None, SCORING)
    assert (found.ece, found.calibration, found.reliability) == (None, None, ())
    assert found.ece_before is not None
    assert found.misses[0].right_probability == pytest.approx(sigmoid_of(-5))


def test_captions_without_a_picture_are_told_apart() -> None:
    names = captioned(*((f"thing {number}",) for number in range(21)))
    images = np.eye(21, dtype=np.float32)
    assert (
        no_match_auroc(
            names, images, images, lambda texts, library: best_logits(texts, library, SCORING)
        )
        == 1
    )
    seen: list[tuple[int, int]] = []

    def blind(texts: np.ndarray, library: np.ndarray) -> np.ndarray:
        seen.append((len(texts), len(library)))
        return np.zeros(len(texts), np.float32)

    assert no_match_auroc(names, images, images, blind) == 0.5
    assert seen == [(11, 11), (10, 11)]
    judged = measure(names, images, images, sigmoid, SCORING, statistic=blind)
    assert (judged.no_match_auroc, judged.no_match_auroc_raw) == (0.5, 1)
    assert measure(names, images, images, sigmoid, SCORING).no_match_auroc == 1


def test_a_caption_shared_with_the_library_is_present() -> None:
    names = captioned(*((f"thing {number % 5}",) for number in range(40)))
    texts = np.eye(5, dtype=np.float32)
    assert (
        no_match_auroc(names, texts[np.arange(40) % 5], texts, lambda texts, library: texts[:, 0])
        is None
    )


def test_classes() -> None:
    classes = captioned(("cat",), ("cat",), ("dog",), ("dog",), classes=("cat", "dog"))
    images = floats((1, 0), (0.6, 0.8), (0, 1), (0.28, 0.96))
    found = measure(classes, images, np.eye(2, dtype=np.float32), sigmoid, SCORING)
    assert found.zero_shot_accuracy == found.image_to_text["R@1"] == 0.75
    # cat: its pictures are first and second; dog: the first two as well, by 1, 0.96, 0.8.
    assert found.text_to_image["mAP"] == 1
    assert found.no_match_auroc is None


def test_embeddings_of_other_captions_are_refused() -> None:
    with pytest.raises(
        ValueError, match="3 image and 5 text embeddings for 3 pictures with 4 different captions"
    ):
        measure(PICTURES, IMAGES, np.eye(5, 3, dtype=np.float32), sigmoid, SCORING)


def test_the_json_object() -> None:
    found = replace(
        measure(PICTURES, IMAGES, TEXTS, sigmoid, SCORING, model="known"),
        skipped=2,
        latency_ms_p50=3.5,
    )
    record = record_fields(found)
    assert list(record) == [
        "text_to_image", "image_to_text", "no_match_auroc", "ece", "queries", "images",
        "zero_shot_accuracy", "ece_before", "model", "no_match_auroc_raw", "calibration",
        "list_precision", "list_recall", "skipped", "latency_ms_p50", "latency_ms_p99",
    ]  # fmt: skip
    assert (
        record["queries"],
        record["skipped"],
        record["latency_ms_p50"],
        record["latency_ms_p99"],
    ) == (5, 2, 3.5, None)
    assert list(record["text_to_image"]) == ["R@1", "R@5", "R@10", "mAP"]


def test_mini_on_drawn_photos(drawn: Path, mini: Checkpoint) -> None:
    from sigseek.indexer.decoding.decode import decode_photo
    from sigseek.siglip.runtimes.torch import TorchImageTower, TorchTextTower

    names = read_captions(drawn / "captions.jsonl")
    pixels = np.stack(
        [decode_photo(picture.path, mini.preprocessing).pixels for picture in names.pictures]
    )
    images, texts = (
        TorchImageTower(mini, "cpu").embed(pixels),
        TorchTextTower(mini, "cpu").embed(list(names.texts)),
    )
    found = measure(names, images, texts, sigmoid, mini.scoring, model=mini.name)
    places = [int((row >= row[number]).sum()) for number, row in enumerate(texts @ images.T)]
    assert found.text_to_image["R@1"] == np.mean([place == 1 for place in places]) > 0.5
    assert found.text_to_image["R@10"] == np.mean([place <= 10 for place in places]) > 0.9
    assert found.text_to_image["mAP"] == pytest.approx(np.mean([1 / place for place in places]))
    assert found.image_to_text["R@5"] == rank(
        images, texts, [np.array([number]) for number in range(40)]
    ).recall(5)
    assert [miss.rank for miss in found.misses] == sorted(
        (place for place in places if place > 1), reverse=True
    )[:12]
    assert found.ece == found.ece_before
    assert found.no_match_auroc is not None
    assert found.no_match_auroc > 0.5
    assert found.histogram is not None
    assert (sum(found.histogram.matching), sum(found.histogram.others)) == (40, 40 * 39)

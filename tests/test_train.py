"""The training of mini in a few steps: it learns, and a resumed run ends like an unbroken one."""

import random
import re
import shutil
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from transformers import SiglipTokenizer

from benchmarks.drawn_queries import UNKNOWN, absent_queries
from sigseek.demo.captions import phrase, random_statement
from sigseek.demo.scene import COLORS, numbered_scene
from sigseek.demo.training import absent, pictures, train
from sigseek.siglip.checkpoint import MINI_DIRECTORY, read_checkpoint
from sigseek.siglip.tokenizer import Tokenizer
from sigseek.siglip.yardstick.texts import absent_texts, common_texts
from tests.torch_threads import one_torch_thread
from tests.training import facts_of_first, train_in_fp32

PICTURES = 24
SMALL = ["--pictures", str(PICTURES), "--batch", "4", "--texts", "8"]


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run directory with the drawings and the tokenizer that all runs of these tests make."""
    directory = tmp_path_factory.mktemp("begun")
    train.drawings(directory / "train.npy", train.TRAIN_SEED, PICTURES)
    train.drawings(directory / "validation.npy", train.VALIDATION_SEED, 20)
    train.make_tokenizer(directory)
    return directory


@pytest.fixture
def run_dir(begun: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(begun, tmp_path / "run"))


@pytest.fixture
def not_validated(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody looks at the figures of these runs."""
    monkeypatch.setattr(train, "_validate", lambda *_: "")


@pytest.fixture
def in_fp32(monkeypatch: pytest.MonkeyPatch) -> None:
    train_in_fp32(monkeypatch)


@pytest.fixture(autouse=True)
def short(begun: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    made = SiglipTokenizer(str(begun / "spiece.model"), model_max_length=train.TEXT_LENGTH)
    made.model_input_names = ["input_ids"]
    monkeypatch.setattr(train, "make_tokenizer", lambda directory: made)
    monkeypatch.setattr(
        train, "LESSONS", {train.SINGLE: 1, train.ALL: 1, train.GREY: 1, train.CAPTIONS: 2}
    )
    monkeypatch.setattr(train, "STEPS_PER_SAVE", 2)
    monkeypatch.setattr(train, "VALIDATION_PICTURES", 20)
    facts = facts_of_first(PICTURES)
    monkeypatch.setattr(train, "all_facts", lambda: facts)
    with one_torch_thread():
        yield


def run(monkeypatch: pytest.MonkeyPatch, directory: Path) -> None:
    monkeypatch.setattr(
        sys, "argv", ["train", str(directory), "--out", str(directory / "out"), *SMALL]
    )
    train.main()


@pytest.mark.usefixtures("not_validated", "in_fp32")
def test_a_resumed_run_ends_where_an_unbroken_one_does(
    begun: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("whole", "broken"):
        shutil.copytree(begun, tmp_path / name)
    run(monkeypatch, tmp_path / "whole")
    real, calls = train.Teacher.loss, []

    def stopped(teacher: train.Teacher, step: int, lesson: str) -> object:
        calls.append(step)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return real(teacher, step, lesson)

    monkeypatch.setattr(train.Teacher, "loss", stopped)
    with pytest.raises(KeyboardInterrupt):
        run(monkeypatch, tmp_path / "broken")
    assert not (tmp_path / "broken" / "out").exists()
    run(monkeypatch, tmp_path / "broken")
    assert calls == [0, 1, 2, 3, 2, 3, 4], "it went on from the last saved step"
    whole, broken = (
        load_file(tmp_path / name / "out" / "model.safetensors") for name in ("whole", "broken")
    )
    for name, tensor in whole.items():
        np.testing.assert_array_equal(tensor, broken[name], err_msg=name)

    checkpoint = read_checkpoint(tmp_path / "whole" / "out", "trained")
    assert (checkpoint.dimension, checkpoint.preprocessing.width) == (192, 96)
    assert Tokenizer(checkpoint).encode(["a red house"])[0][4:].tolist() == [1] * 60


def test_each_lesson_moves_its_own_tower(
    run_dir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It computes in bf16, as the training does."""
    monkeypatch.setattr(
        train, "LESSONS", {train.SINGLE: 1, train.ALL: 0, train.GREY: 0, train.CAPTIONS: 0}
    )
    run(monkeypatch, run_dir)
    before = load_file(run_dir / "out" / "model.safetensors")
    monkeypatch.setattr(
        train, "LESSONS", {train.SINGLE: 1, train.ALL: 0, train.GREY: 0, train.CAPTIONS: 1}
    )
    run(monkeypatch, run_dir)
    after = load_file(run_dir / "out" / "model.safetensors")
    moved = {name.split(".")[0] for name in after if (after[name] != before[name]).any()}
    assert "text_model" in moved
    assert "vision_model" not in moved
    assert "step 2 object_map 0." in capsys.readouterr().out, "its figures are told"


@pytest.mark.usefixtures("not_validated", "in_fp32")
def test_a_trained_mini_can_be_gone_on_from(run_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    argv = ["train", str(run_dir), "--out", str(run_dir / "out"), *SMALL, "--start", "mini"]
    monkeypatch.setattr(sys, "argv", argv)
    monkeypatch.setattr(
        train, "LESSONS", {train.SINGLE: 2, train.ALL: 2, train.GREY: 0, train.CAPTIONS: 0}
    )
    train.main()
    before, after = (
        load_file(directory / "model.safetensors")
        for directory in (MINI_DIRECTORY, run_dir / "out")
    )
    assert all((after[name] == tensor).all() for name, tensor in before.items()), (
        "no lesson, nothing changed"
    )
    assert train.fact_as_caption("any red house") == "a red house"
    assert train.fact_as_caption("3 any bus") == "three buses"
    assert train.fact_as_caption("in the rain") == "in the rain"


@pytest.mark.usefixtures("not_validated", "in_fp32")
@pytest.mark.parametrize(
    ("begin", "learned"),
    [
        ("grey", [train.GREY, train.CAPTIONS]),
        *(
            pytest.param(*others, marks=pytest.mark.slow)
            for others in (
                ("all", [train.ALL] * 3 + [train.GREY] + [train.CAPTIONS] * 2),
                ("captions", [train.CAPTIONS]),
            )
        ),
    ],
)
def test_a_trained_mini_can_go_on_with_each_lesson(
    run_dir: Path, monkeypatch: pytest.MonkeyPatch, begin: str, learned: list[str]
) -> None:
    """The caption lesson is shorter, because a trained text tower is nearly there."""
    going_on = ["--start", "mini", "--lesson", begin, "--steps", "3"]
    monkeypatch.setattr(
        sys, "argv", ["train", str(run_dir), "--out", str(run_dir / "out"), *SMALL, *going_on]
    )
    monkeypatch.setattr(
        train, "LESSONS", {train.SINGLE: 1, train.ALL: 9, train.GREY: 1, train.CAPTIONS: 4}
    )
    real, lessons = train.Teacher.loss, []

    def noted(teacher: train.Teacher, step: int, lesson: str) -> object:
        lessons.append(lesson)
        return real(teacher, step, lesson)

    monkeypatch.setattr(train.Teacher, "loss", noted)
    train.main()
    assert lessons == learned


def test_a_lesson_to_begin_with_needs_a_trained_mini(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["train", str(tmp_path), "--out", str(tmp_path / "out"), "--lesson", "all"]
    monkeypatch.setattr(sys, "argv", argv)
    with pytest.raises(SystemExit):
        train.main()
    assert "name it with --start" in capsys.readouterr().err


def test_what_the_grey_lesson_shows() -> None:
    """The pictures are no drawings, and each is still different from the others."""
    rng = random.Random(1)
    drawings = torch.rand(6, 3, pictures.PIXELS, pictures.PIXELS) * 2 - 1
    colored = train._unlike_drawings(drawings, rng)
    assert colored.shape == drawings.shape
    assert (colored.abs() <= 1).all()
    assert (colored[0] - colored[1]).abs().mean() > 0.05
    grey = train._grey(colored)
    assert (grey[:, 0] == grey[:, 1]).all()
    own = torch.eye(6)
    assert train._confusion(torch.cat([own, own]), 6) < 1e-6, "each is told by its own copy"
    assert train._confusion(torch.cat([own, own.roll(1, 0)]), 6) == pytest.approx(20, abs=1e-3), (
        "each by another's"
    )


def words(texts: Iterable[str]) -> set[str]:
    return {word for text in texts for word in re.findall("[a-z]+", text.lower())}


@pytest.fixture(scope="module")
def captioned() -> set[str]:
    """The words of the captions of training, of so many captions that no word is missing."""
    rng = random.Random(0)
    return words(
        phrase(random_statement(numbered_scene(1, number), rng), rng) for number in range(20_000)
    )


def test_texts_to_refuse_are_in_no_caption_and_not_among_those_refusing_is_judged_by(
    captioned: set[str],
) -> None:
    taught = words([*absent.NOUNS, *absent.ACTIONS])
    assert len(taught) == len(absent.NOUNS) + len(absent.ACTIONS), (
        "each is one word, and none stands there twice"
    )
    judged = words([UNKNOWN, *common_texts(), *absent_texts()])
    held = captioned | judged
    assert {
        word for word in taught if {word, f"{word}s"} & held or word.removesuffix("s") in held
    } == set()


def test_refused_texts_say_nothing_true(captioned: set[str]) -> None:
    rng = random.Random(1)
    texts = [absent.absent_text(numbered_scene(1, number), rng) for number in range(2000)]
    assert [text for text in texts if words([text]) <= captioned] == []
    assert not {
        text
        for queries in range(20)
        for text, _ in absent_queries(set(), set(), set(), 200, queries)
    } & set(texts)
    alone = [text for text in texts if " " not in text]
    assert 0.3 < len(alone) / len(texts) < 0.42
    assert any(words([text]) & set(COLORS) for text in texts), "known words beside the unknown one"


@pytest.mark.usefixtures("in_fp32")
def test_a_refusal_counts_down_to_its_logit_and_no_further(monkeypatch: pytest.MonkeyPatch) -> None:
    """Texts that were refused enough add a constant, so they have no gradient."""
    monkeypatch.setattr(train, "ABSENT_SHARE", 1.0)
    blank = np.zeros((8, pictures.PIXELS, pictures.PIXELS, 3), np.uint8)
    checkpoint = read_checkpoint(MINI_DIRECTORY, "mini")
    tokenizer = SiglipTokenizer(
        str(checkpoint.directory / "spiece.model"), model_max_length=train.TEXT_LENGTH
    )
    teacher = train.Teacher(train.make_model(len(tokenizer)), blank, tokenizer, 8, 8)
    for bias, moved in ((train.REFUSED - 20, False), (train.REFUSED + 20, True)):
        torch.nn.init.constant_(teacher.model.logit_bias, bias)
        teacher.zero_grad()
        torch.autograd.backward(teacher.loss(0, train.CAPTIONS))
        gradient = teacher.model.logit_bias.grad
        assert gradient is not None
        assert bool(gradient.abs().sum() > 0) is moved

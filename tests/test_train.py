"""The training of mini, in a few steps: it learns, and a resumed run ends where an unbroken one does."""

import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from siglip.checkpoint import read_checkpoint
from siglip.tokenizer import Tokenizer
from sigseek.demo import train

SMALL = ["--pictures", "300", "--batch", "8", "--texts", "6"]


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train, "LESSONS", {train.SINGLE: 2, train.ALL: 2, train.CAPTIONS: 2})
    monkeypatch.setattr(train, "STEPS_PER_SAVE", 3)
    monkeypatch.setattr(train, "VALIDATION_PICTURES", 20)


def run(monkeypatch: pytest.MonkeyPatch, directory: Path) -> None:
    monkeypatch.setattr(sys, "argv", ["train", str(directory), "--out", str(directory / "out"), *SMALL])
    train.main()


def test_a_resumed_run_ends_where_an_unbroken_one_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(monkeypatch, tmp_path / "whole")
    real, calls = train.Teacher.loss, []

    def stopped(teacher: train.Teacher, step: int, lesson: str) -> object:
        calls.append(step)
        if len(calls) == 5:
            raise KeyboardInterrupt
        return real(teacher, step, lesson)

    monkeypatch.setattr(train.Teacher, "loss", stopped)
    with pytest.raises(KeyboardInterrupt):
        run(monkeypatch, tmp_path / "broken")
    assert not (tmp_path / "broken" / "out").exists()
    run(monkeypatch, tmp_path / "broken")
    assert calls == [0, 1, 2, 3, 4, 3, 4, 5], "it went on from the last saved step"
    whole, broken = (load_file(tmp_path / name / "out" / "model.safetensors") for name in ("whole", "broken"))
    for name, tensor in whole.items():
        np.testing.assert_allclose(tensor, broken[name], atol=2e-3, err_msg=name)

    checkpoint = read_checkpoint(tmp_path / "whole" / "out", "trained")
    assert (checkpoint.dimension, checkpoint.preprocessing.width) == (192, 96)
    assert Tokenizer(checkpoint).encode(["a red house"])[0][4:].tolist() == [1] * 60


def test_each_lesson_moves_its_own_tower(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train, "LESSONS", {train.SINGLE: 1, train.ALL: 0, train.CAPTIONS: 0})
    run(monkeypatch, tmp_path)
    before = load_file(tmp_path / "out" / "model.safetensors")
    monkeypatch.setattr(train, "LESSONS", {train.SINGLE: 1, train.ALL: 0, train.CAPTIONS: 1})
    run(monkeypatch, tmp_path)
    after = load_file(tmp_path / "out" / "model.safetensors")
    moved = {name.split(".")[0] for name in after if (after[name] != before[name]).any()}
    assert "text_model" in moved
    assert "vision_model" not in moved

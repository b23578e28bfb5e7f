"""The training of mini's heads in a few steps, over inputs that are computed once."""

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from safetensors.numpy import load_file
from torch.nn import functional
from transformers import SiglipModel, SiglipTokenizer

from sigseek.demo.scene import all_facts, numbered_scene
from sigseek.demo.training import head, pictures, train
from sigseek.siglip.checkpoint import MINI_DIRECTORY
from tests.torch_threads import one_torch_thread
from tests.training import facts_of_first, train_in_fp32

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(pictures, "DRAWN_SIZE", (96, 72))
    with one_torch_thread():
        yield


def pixels(count: int) -> npt.NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (count, 96, 96, 3), dtype=np.uint8)


@torch.no_grad()
def test_the_heads_make_of_their_inputs_what_the_towers_make_of_pictures_and_texts() -> None:
    """The inputs are rounded to bfloat16, so the embeddings are not the same to the last digit."""
    model = SiglipModel.from_pretrained(MINI_DIRECTORY, dtype=torch.float32)
    shown = pixels(3)
    both = np.concatenate([shown, shown[:, :, ::-1]])
    expected = model.get_image_features(train.normalized_pixels(both, CPU)).pooler_output
    made = head.image_head(model)(head.image_inputs(model, shown))
    assert (functional.cosine_similarity(made, expected) > 0.999).all()

    tokenizer = SiglipTokenizer(
        str(MINI_DIRECTORY / "spiece.model"), model_max_length=train.TEXT_LENGTH
    )
    tokenizer.model_input_names = ["input_ids"]
    texts = ["two houses", "a red cat at night"]
    said = model.get_text_features(train.tokenized(texts, tokenizer, CPU)).pooler_output
    made = model.text_model.head(head.text_inputs(model, tokenizer, texts))
    assert (functional.cosine_similarity(made, said) > 0.999).all()


def test_only_the_heads_learn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second run takes the kept inputs and ends with the same weights."""
    train_in_fp32(monkeypatch)
    facts = facts_of_first(20)
    monkeypatch.setattr(head, "all_facts", lambda: facts)
    few = ["--pictures", "16", "--captions", "20", "--absent", "10", "--steps", "2"]
    for name in ("one", "two"):
        out = str(tmp_path / name)
        monkeypatch.setattr(
            sys, "argv", ["head", str(tmp_path), "--out", out, "--start", "mini", *few]
        )
        head.main()
    monkeypatch.setattr(sys, "argv", [*sys.argv, "--pictures", "12"])
    with pytest.raises(SystemExit):  # the kept inputs are of other pictures
        head.main()
    before, after, again = (
        load_file(directory / "model.safetensors")
        for directory in (MINI_DIRECTORY, tmp_path / "one", tmp_path / "two")
    )
    moved = {name for name, tensor in before.items() if (after[name] != tensor).any()}
    parts = ("layernorm", "mlp.fc1", "mlp.fc2")
    assert {name.rsplit(".", 1)[0] for name in moved if "logit" not in name} == {
        *(f"vision_model.head.{part}" for part in parts),
        "text_model.head",
    }
    for name, tensor in after.items():
        np.testing.assert_array_equal(tensor, again[name], err_msg=name)


def test_what_is_known_of_pictures() -> None:
    scene = numbered_scene(train.TRAIN_SEED, 0)
    known = head.fact_matrix([scene.facts()])[0]
    assert {fact for fact, true in zip(all_facts(), known, strict=True) if true} == scene.facts()
    weights = dict(zip(all_facts(), head.fact_weights().tolist(), strict=True))
    assert [weights[fact] for fact in ("2 any cat", "any any cat", "2 red cat", "at night")] == [
        head.NUMBER_WEIGHT,
        1.0,
        1.0,
        1.0,
    ]


def test_the_loss_takes_a_caption_for_true_if_the_picture_shows_all_that_it_states() -> None:
    """Sure and right costs nothing. Sure and wrong costs the logit."""
    shown = frozenset({"any any cat", "at night"})
    known = head.fact_matrix([shown]).float()
    claims = head.fact_matrix([shown, frozenset({"any any cat", "at noon"})]).float()
    facts = torch.where(known > 0, 50.0, -50.0)

    def loss(captions: list[float], absent: float) -> float:
        logits = torch.cat([facts, torch.tensor([[*captions, absent]])], dim=1)
        return float(head._loss(logits, known, claims))

    assert loss([50.0, -50.0], -50.0) == pytest.approx(train.REFUSED, abs=1e-3)
    assert loss([50.0, 50.0], -50.0) == pytest.approx(train.REFUSED + 50, abs=1e-3)
    assert loss([-50.0, -50.0], -50.0) == pytest.approx(train.REFUSED + 50, abs=1e-3)
    assert loss([50.0, -50.0], 50.0) == pytest.approx(50, abs=1e-3)


def test_other_processes_draw_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    here = pictures.draw_all(1, [5, 7])
    monkeypatch.setattr(pictures, "CHUNK", 1)
    np.testing.assert_array_equal(pictures.draw_all(1, [5, 7]), here)
    assert here.shape == (2, 96, 96, 3)
    assert (here[0] != here[1]).any()

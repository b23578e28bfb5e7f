"""What makes the training of mini fast enough for tests."""

from contextlib import nullcontext

import pytest
import torch

from sigseek.demo.scene import numbered_scene
from sigseek.demo.training.train import TRAIN_SEED


def train_in_fp32(patch: pytest.MonkeyPatch) -> None:
    """Have the training compute in fp32 in place of bf16. Many processors have no arithmetic for
    bf16, and take six times as long.
    """
    patch.setattr(torch, "autocast", lambda *_: nullcontext())


def facts_of_first(count: int) -> list[str]:
    """Return the facts of the first scenes of the training, which are a part of all facts."""
    scenes = (numbered_scene(TRAIN_SEED, number) for number in range(count))
    return sorted(set().union(*(scene.facts() for scene in scenes)))

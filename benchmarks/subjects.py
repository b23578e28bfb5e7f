"""The base checkpoint and the photos that benchmarks measure with, made here from a seed."""

import os
import shutil
import sys
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.processes import run
from sigseek.demo.drawing import draw_scene
from sigseek.demo.scene import numbered_scene
from sigseek.siglip.checkpoint import MINI_DIRECTORY

CAMERA, SMALL = (4000, 3000), (400, 533)
_NOISE = 5.0
"""The sensor noise, in levels. With it, a picture of camera size is a JPEG of about 3 MB, as phones
write them.
"""


_MAKE_BASE = """
import sys, torch
from transformers import SiglipConfig, SiglipImageProcessorPil, SiglipModel
torch.manual_seed(0)
SiglipModel(SiglipConfig()).save_pretrained(sys.argv[1])
SiglipImageProcessorPil(image_mean=[0.5] * 3, image_std=[0.5] * 3).save_pretrained(sys.argv[1])
"""
"""A separate process. Otherwise the memory that it takes would count as that of the measuring
process's children.
"""


def save_base(target: Path) -> Path:
    """Save a checkpoint of google/siglip-base-patch16-224's exact configuration, with random
    weights and mini's tokenizer.
    """
    run([sys.executable, "-W", "ignore", "-c", _MAKE_BASE, target])
    for name in ("spiece.model", "tokenizer_config.json"):
        shutil.copy(MINI_DIRECTORY / name, target)
    return target


def save_photos(folder: Path, count: int, size: tuple[int, int]) -> list[Path]:
    """Save `count` drawings of `size` (width, height) with sensor noise, as JPEGs of quality 90."""
    folder.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(partial(_save_photo, folder, size), range(count)))


def _save_photo(folder: Path, size: tuple[int, int], number: int) -> Path:
    scene = numbered_scene(77, number)
    pixels = np.asarray(draw_scene(scene, size, number), np.float32)
    noise = (
        np.random.default_rng(number).standard_normal((size[1], size[0], 1), np.float32) * _NOISE
    )
    path = folder / f"{number:05}.jpg"
    Image.fromarray((pixels + noise).clip(0, 255).astype(np.uint8)).save(path, quality=90)
    return path

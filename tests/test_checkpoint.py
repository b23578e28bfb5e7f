import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import sigseek
from sigseek.errors import ErrorKind
from sigseek.siglip import Checkpoint, CheckpointError, load_checkpoint
from sigseek.siglip.checkpoint import MINI_DIRECTORY, read_checkpoint
from tests.checkpoints import copy_mini


def edit(path: Path, **changes: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_what_is_read(mini: Checkpoint, base: Checkpoint) -> None:
    assert (base.dimension, base.preprocessing.width, base.text_length) == (768, 224, 64)
    assert base.scoring.logit_scale == pytest.approx(4.7)
    assert base.scoring.logit_bias == pytest.approx(-12.9)
    assert (mini.dimension, mini.preprocessing.width, mini.text_length) == (192, 96, 64)
    assert mini.name == "mini"


def test_values_absent_from_config_are_siglips_defaults(base: Checkpoint, tmp_path: Path) -> None:
    for path in base.directory.iterdir():
        (tmp_path / path.name).symlink_to(path)
    (tmp_path / "config.json").unlink()
    (tmp_path / "config.json").write_text(
        '{"model_type": "siglip", "text_config": {}, "vision_config": {"model_type": "x"}}'
    )
    read = read_checkpoint(tmp_path, "as published")
    assert (read.dimension, read.preprocessing.width, read.text_length) == (768, 224, 64)
    assert read.fingerprint == base.fingerprint


def test_older_preprocessor_file_is_read(tmp_path: Path, mini: Checkpoint) -> None:
    directory = copy_mini(tmp_path / "older")
    combined = json.loads((directory / "processor_config.json").read_text())
    (directory / "processor_config.json").unlink()
    (directory / "preprocessor_config.json").write_text(json.dumps(combined["image_processor"]))
    assert read_checkpoint(directory, "older").preprocessing == mini.preprocessing


def test_fingerprint_is_of_the_contents_wherever_they_are(tmp_path: Path, mini: Checkpoint) -> None:
    directory = copy_mini(tmp_path / "copy")
    assert load_checkpoint(str(directory)).fingerprint == mini.fingerprint
    tensors = load_file(directory / "model.safetensors")
    tensors["logit_bias"] = tensors["logit_bias"] + np.float16(1)
    save_file(tensors, directory / "model.safetensors")
    changed = load_checkpoint(str(directory))
    assert changed.fingerprint != mini.fingerprint
    assert changed.name == str(directory)


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1000])


BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "no config": (lambda d: (d / "config.json").unlink(), "no config.json"),
    "config is no JSON": (lambda d: (d / "config.json").write_text("{"), "cannot be read"),
    "config is a list": (lambda d: (d / "config.json").write_text("[]"), "is not a JSON object"),
    "vision config is a list": (
        lambda d: edit(d / "config.json", vision_config=[1]),
        "is not that of a SigLIP checkpoint",
    ),
    "dimension is null": (
        lambda d: edit(d / "config.json", vision_config={"hidden_size": None, "image_size": 96}),
        "is not that of a SigLIP checkpoint",
    ),
    "processor is null": (
        lambda d: edit(d / "processor_config.json", image_processor=None),
        "is not that of a SigLIP checkpoint",
    ),
    "odd resampling": (
        lambda d: edit(d / "processor_config.json", image_processor={"resample": 99}),
        "no usable height",
    ),
    "a CLIP": (lambda d: edit(d / "config.json", model_type="clip"), "family 'clip', not SigLIP"),
    "a text model": (
        lambda d: edit(d / "config.json", model_type="bert"),
        "family 'bert', not SigLIP",
    ),
    "NaFlex": (lambda d: edit(d / "config.json", model_type="siglip2"), "NaFlex"),
    "no weights": (lambda d: (d / "model.safetensors").unlink(), "no model.safetensors"),
    "pickled weights": (
        lambda d: (d / "model.safetensors").rename(d / "pytorch_model.bin"),
        "a pickle",
    ),
    "cut weights": (lambda d: truncate(d / "model.safetensors"), "damaged"),
    "a scale that is no number": (
        lambda d: save_file(
            load_file(d / "model.safetensors") | {"logit_scale": np.float16([np.nan])},
            d / "model.safetensors",
        ),
        "logit_scale is nan",
    ),
    "no tokenizer": (lambda d: (d / "spiece.model").unlink(), "no tokenizer"),
    "no processor": (
        lambda d: (d / "processor_config.json").unlink(),
        "no preprocessor_config.json",
    ),
    "other size": (
        lambda d: edit(
            d / "processor_config.json", image_processor={"size": {"height": 224, "width": 224}}
        ),
        "image tower takes 96x96",
    ),
    "one tower": (
        lambda d: save_file(
            {
                k: v
                for k, v in load_file(d / "model.safetensors").items()
                if not k.startswith("text_model")
            },
            d / "model.safetensors",
        ),
        "lacks text_model",
    ),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_checkpoint_is_refused_in_one_line(tmp_path: Path, what: str) -> None:
    break_it, said = BROKEN[what]
    directory = copy_mini(tmp_path / "broken")
    break_it(directory)
    with pytest.raises(CheckpointError, match=said) as caught:
        load_checkpoint(str(directory))
    assert "\n" not in str(caught.value)
    assert "; " in str(caught.value), "says what was found; what to do"


def test_missing_weights_inside_a_tower_are_refused_when_it_is_loaded(tmp_path: Path) -> None:
    from sigseek.siglip.runtimes.torch import TorchImageTower, TorchTextTower

    directory = copy_mini(tmp_path / "holes")
    tensors = load_file(directory / "model.safetensors")
    del tensors["vision_model.encoder.layers.2.mlp.fc1.weight"]
    save_file(tensors, directory / "model.safetensors", {"format": "pt"})
    checkpoint = load_checkpoint(str(directory))
    with pytest.raises(
        CheckpointError, match=r"lacks usable weights for .*layers\.2\.mlp\.fc1\.weight"
    ):
        TorchImageTower(checkpoint)
    assert TorchTextTower(checkpoint).embed(["a cat"]).shape == (1, 192)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("/no/such/checkpoint", "'/no/such/checkpoint' is neither a directory nor a hub id"),
        (str(MINI_DIRECTORY / "config.json"), "is a file"),
        ("two words", "nor a hub id"),
    ],
)
def test_names_that_lead_nowhere(name: str, said: str) -> None:
    with pytest.raises(CheckpointError, match=said):
        load_checkpoint(name)


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs a file that reads as EIO")
def test_weights_that_the_disk_does_not_give_are_a_checkpoint_error(tmp_path: Path) -> None:
    directory = copy_mini(tmp_path / "checkpoint")
    (directory / "model.safetensors").unlink()
    (directory / "model.safetensors").symlink_to("/proc/self/mem")
    with pytest.raises(CheckpointError, match=r"cannot be read \(Input/output error\)") as raised:
        load_checkpoint(str(directory))
    assert raised.value.kind is ErrorKind.UNAVAILABLE


def test_a_shipped_calibration_that_is_no_text_is_a_calibration_error(tmp_path: Path) -> None:
    directory = copy_mini(tmp_path / "checkpoint")
    (directory / "calibration.json").write_bytes(b"\xff\xfe")
    with (
        sigseek.open(tmp_path / "library", model=str(directory)) as library,
        pytest.raises(sigseek.CalibrationError, match="checkpoint"),
    ):
        library.calibration()

"""The process that converts a checkpoint: torch's towers in, proven OpenVINO models out.

`sigseek.siglip.runtimes.conversion` starts it. It reads a pickled Job from standard input and
answers with one line of JSON: the facts of the conversion, or why it is refused. After a SIGTERM it
finishes the step under way, and gives no answer if more steps are left.
"""

import base64
import gc
import json
import logging
import pickle
import signal
import sys
import warnings
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType
from typing import Any

import torch
from transformers import SiglipTextModel, SiglipVisionModel
from transformers.models.siglip.modeling_siglip import SiglipEncoderLayer

from sigseek.siglip.checkpoint import Checkpoint
from sigseek.siglip.errors import CheckpointError
from sigseek.siglip.preprocessing import Preprocessing
from sigseek.siglip.runtimes.conversion import Job
from sigseek.siglip.runtimes.openvino import import_openvino
from sigseek.siglip.runtimes.proof import prove
from sigseek.siglip.runtimes.torch import load_model


class _ImageGraph(torch.nn.Module):
    """The image tower with its normalisation: pixels uint8 (n, height, width, 3) to (n, dim)."""

    def __init__(self, model: torch.nn.Module, preprocessing: Preprocessing) -> None:
        super().__init__()
        self.model = model
        scale = torch.tensor([preprocessing.rescale_factor / value for value in preprocessing.std])
        shift = torch.tensor(
            [
                -mean / value
                for mean, value in zip(preprocessing.mean, preprocessing.std, strict=True)
            ]
        )
        self.scale = torch.nn.Buffer(scale.view(1, 3, 1, 1))
        self.shift = torch.nn.Buffer(shift.view(1, 3, 1, 1))

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        inputs = pixels.permute(0, 3, 1, 2).float() * self.scale + self.shift
        outputs: torch.Tensor = self.model(pixel_values=inputs).pooler_output
        return outputs


class _TextGraph(torch.nn.Module):
    """The text tower: token ids int64 (n, text length) to (n, dim)."""

    def __init__(self, model: SiglipTextModel) -> None:
        super().__init__()
        self.model = model
        model.encoder.layers[-1] = _LastTokenLayer(model.encoder.layers[-1])

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        outputs: torch.Tensor = self.model(input_ids=ids).pooler_output
        return outputs


class _LastTokenLayer(torch.nn.Module):
    """The last layer of a text tower, computed for the last token alone: hidden states (n, length,
    width) to (n, 1, width).

    SigLIP's text embedding is made from nothing but the last token, so this changes no embedding.
    It leaves out four fifths of the layer's products.
    """

    def __init__(self, layer: SiglipEncoderLayer) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, hidden: torch.Tensor, *_: object, **__: object) -> torch.Tensor:
        layer: Any = self.layer
        attention = layer.self_attn

        def heads(states: torch.Tensor) -> torch.Tensor:
            shape = (*states.shape[:-1], attention.num_heads, attention.head_dim)
            return states.view(shape).transpose(1, 2)

        normed = layer.layer_norm1(hidden)
        # Every token counts, also one that only fills the text up, so there is no mask.
        attended = torch.nn.functional.scaled_dot_product_attention(
            heads(attention.q_proj(normed[:, -1:])),
            heads(attention.k_proj(normed)),
            heads(attention.v_proj(normed)),
            scale=attention.scale,
        )
        last = hidden[:, -1:] + attention.out_proj(attended.transpose(1, 2).flatten(2))
        outputs: torch.Tensor = last + layer.mlp(layer.layer_norm2(last))
        return outputs


class _End:
    """Whether this process was told to end after the step under way."""

    def __init__(self) -> None:
        self.asked = False
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that started this
        signal.signal(signal.SIGTERM, self._ask)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self.asked = True


def main() -> None:
    """Do the job that is read from standard input."""
    answer, sys.stdout = sys.stdout, sys.stderr  # keep what libraries print out of the answer
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    end = _End()
    job = pickle.load(sys.stdin.buffer)
    try:
        facts = _quantize(job) if job.precision == "int8" else _convert(job, end)
    except CheckpointError as error:
        facts = {"refused": base64.b64encode(pickle.dumps(error)).decode()}
    if facts is not None:
        answer.write(json.dumps(facts) + "\n")


def _convert(job: Job, end: _End) -> dict[str, Any] | None:
    """Convert both towers and prove them. Returns None when steps are left and an end was asked."""
    for save, name in ((save_image_tower, "image.xml"), (save_text_tower, "text.xml")):
        if not (job.target / name).exists():  # else a conversion that was stopped has made it
            save(job.checkpoint, job.target / name, job.precision)
            _forget_traces()
            if end.asked:
                return None
    return {"cosine": prove(job.checkpoint, job.target, job.precision)}


def save_image_tower(checkpoint: Checkpoint, path: Path, precision: str) -> None:
    """Convert the image tower, for any number of pictures of the checkpoint's size.

    The normalisation is part of the model.
    """
    graph = _ImageGraph(
        load_model(SiglipVisionModel, checkpoint, "cpu", torch.float32), checkpoint.preprocessing
    )
    size = (checkpoint.preprocessing.height, checkpoint.preprocessing.width, 3)
    _save(graph.eval(), torch.zeros((2, *size), dtype=torch.uint8), [-1, *size], path, precision)


def save_text_tower(checkpoint: Checkpoint, path: Path, precision: str) -> None:
    """Convert the text tower, for any number of texts of the checkpoint's fixed length."""
    graph = _TextGraph(load_model(SiglipTextModel, checkpoint, "cpu", torch.float32))
    example = torch.ones((2, checkpoint.text_length), dtype=torch.int64)
    _save(graph.eval(), example, [-1, checkpoint.text_length], path, precision)


def _save(
    graph: torch.nn.Module, example: torch.Tensor, shape: Sequence[int], path: Path, precision: str
) -> None:
    openvino = import_openvino()
    decoder = import_module("openvino.frontend.pytorch.ts_decoder")
    with TemporaryDirectory(dir=path.parent) as aside:
        with torch.inference_mode():
            # Without `check_trace`, torch runs the tower once and not four times. The proof
            # compares more than the check would.
            traced = decoder.TorchScriptPythonDecoder(
                graph, example_input=example, trace_kwargs={"check_trace": False}
            )
            model = openvino.convert_model(traced)
        model.reshape(shape)
        # This halves the size. fp16 holds more digits than bf16 computes with, so nothing is lost.
        openvino.save_model(model, Path(aside, path.name), compress_to_fp16=precision != "fp32")
        # A tower whose .xml is there is finished.
        for name in (path.with_suffix(".bin").name, path.name):
            Path(aside, name).replace(path.with_name(name))


def _forget_traces() -> None:
    """Have torch let go of traced towers, which it would keep with their weights."""
    # These are torch's own internals. Where they are missing, the memory is only freed later.
    with suppress(AttributeError):
        torch._C._jit_clear_class_registry()
        torch.jit._recursive.concrete_type_store = torch.jit._recursive.ConcreteTypeStore()
        torch.jit._state._clear_class_state()
    gc.collect()


def _quantize(job: Job) -> dict[str, Any]:
    from sigseek.siglip.runtimes.quantization import quantize

    assert job.photos is not None
    with TemporaryDirectory() as aside:
        exact = Path(aside, "image.xml")
        save_image_tower(job.checkpoint, exact, "fp32")
        return quantize(exact, job.target / "image.xml", job.photos)


if __name__ == "__main__":
    main()

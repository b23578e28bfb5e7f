"""The image tower in int8: post-training quantisation by NNCF, in the converting process.

The value ranges are learned from photos of the user's own, and how faithful the result is, is measured on others.
"""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sigseek.siglip.errors import CheckpointError
from sigseek.siglip.runtimes.openvino import CompiledModel, import_openvino

LEAST_COSINE = 0.99
_JUDGING_SHARE = 0.25


def quantize(exact: Path, target: Path, photos: npt.NDArray[np.uint8]) -> dict[str, Any]:
    """Write the model `exact` (fp32) to `target` in int8; the facts of its fidelity.

    `photos` are pixels uint8 (n, height, width, 3): three in four are learned from, the others
    judge. CheckpointError when there are too few, or when the embeddings are not near enough.
    """
    openvino = import_openvino()  # first, so that NNCF too does without telemetry
    import nncf

    judging = max(1, round(len(photos) * _JUDGING_SHARE))
    judges, teachers = photos[:judging], photos[judging:]
    model = nncf.quantize(
        openvino.Core().read_model(exact),
        nncf.Dataset([photo[None] for photo in teachers]),
        model_type=nncf.ModelType.TRANSFORMER,
        # The two ends stay exact: a hundredth of the work, and nine tenths of what quantising would
        # lose.
        ignored_scope=nncf.IgnoredScope(
            patterns=[".*model\\.head.*"], types=["Convolution"], validate=False
        ),
        subset_size=len(teachers),
    )
    openvino.save_model(model, target)
    cosines = (_embed(target, "int8", judges) * _embed(exact, "fp32", judges)).sum(axis=1)
    fidelity = f"cosine to fp32 on {judging} other photos of yours: {cosines.mean():.4f} on average, {cosines.min():.4f} at least"
    if not cosines.min() >= LEAST_COSINE:
        raise CheckpointError(
            f"int8 is not faithful enough ({fidelity}; {LEAST_COSINE} is asked); use bf16 or fp32"
        )
    return {
        "fidelity": fidelity,
        "cosine": {"mean": float(cosines.mean()), "least": float(cosines.min())},
        "photos": len(photos),
    }


def _embed(model: Path, precision: str, photos: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    compiled = CompiledModel(model, precision, cache=False)
    return np.concatenate(
        [compiled.embed(photos[start : start + 16]) for start in range(0, len(photos), 16)]
    )

"""The image tower in int8: post-training quantisation by NNCF, in the converting process.

The ranges of values are learned from some of the user's photos. The result is measured on others.
"""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sigseek.errors import ErrorKind
from sigseek.siglip.errors import CheckpointError
from sigseek.siglip.runtimes.openvino import (
    CompiledModel,
    exact_precisions,
    import_openvino,
)

LEAST_COSINE = 0.99
_JUDGING_SHARE = 0.25


def quantize(exact: Path, target: Path, photos: npt.NDArray[np.uint8]) -> dict[str, Any]:
    """Write the model `exact` (fp32) to `target` in int8, and return how faithful it is.

    `photos` are pixels uint8 (n, height, width, 3). Three in four are learned from, the others
    measured on. Raises CheckpointError when the embeddings differ too much.
    """
    openvino = import_openvino()  # first, because it turns telemetry off for NNCF too
    import nncf

    judging = max(1, round(len(photos) * _JUDGING_SHARE))
    judges, teachers = photos[:judging], photos[judging:]
    model = nncf.quantize(
        openvino.Core().read_model(exact),
        nncf.Dataset([photo[None] for photo in teachers]),
        model_type=nncf.ModelType.TRANSFORMER,
        # The first and the last layer stay exact. They are a hundredth of the work, and quantising
        # them would cause nine tenths of the loss.
        ignored_scope=nncf.IgnoredScope(
            patterns=[".*model\\.head.*"], types=["Convolution"], validate=False
        ),
        subset_size=len(teachers),
    )
    openvino.save_model(model, target)
    cosines = (_embed(target, "int8", judges) * _embed(exact, "fp32", judges)).sum(axis=1)
    fidelity = (
        f"cosine to fp32 on {judging} other photos of yours: {cosines.mean():.4f} on average, "
        f"{cosines.min():.4f} at least"
    )
    if not cosines.min() >= LEAST_COSINE:
        raise CheckpointError(
            f"int8 is not faithful enough ({fidelity}; {LEAST_COSINE} is needed)",
            exact_precisions(),
            ErrorKind.UNSUPPORTED,
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

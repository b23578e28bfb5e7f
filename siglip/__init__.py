"""The model: a SigLIP checkpoint with its preprocessing, tokenizer, towers and scores.

This room knows nothing of libraries, folders or command lines. Importing it is fast: torch and
transformers are imported by `sigseek.siglip.runtimes.torch`, when a tower is first loaded on torch.
"""

from typing import TYPE_CHECKING, Any

from sigseek.deferred import load_from
from sigseek.siglip.errors import CheckpointError

if TYPE_CHECKING:
    from sigseek.siglip.checkpoint import Checkpoint, load_checkpoint
    from sigseek.siglip.preprocessing import Preprocessing
    from sigseek.siglip.scoring import Scoring
    from sigseek.siglip.towers import ImageTower, TextTower

__all__ = [
    "Checkpoint",
    "CheckpointError",
    "ImageTower",
    "Preprocessing",
    "Scoring",
    "TextTower",
    "load_checkpoint",
]

# Loaded when first asked for: a search of facts alone takes names and constants from this package.
_HOMES = {
    "Checkpoint": "sigseek.siglip.checkpoint",
    "load_checkpoint": "sigseek.siglip.checkpoint",
    "Preprocessing": "sigseek.siglip.preprocessing",
    "Scoring": "sigseek.siglip.scoring",
    "ImageTower": "sigseek.siglip.towers",
    "TextTower": "sigseek.siglip.towers",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'sigseek.siglip' has no attribute '{name}'")
    return load_from(_HOMES[name], name)

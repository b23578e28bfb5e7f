"""The model: a SigLIP checkpoint, its preprocessing and tokenizer, its image and text towers, its scores.

Knows nothing of libraries, folders or command lines. Nothing heavy is imported here: torch and transformers come in
with `sigseek.siglip.runtimes.torch`, when a tower is first asked for.
"""

from sigseek.siglip.checkpoint import Checkpoint, load_checkpoint
from sigseek.siglip.errors import CheckpointError
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

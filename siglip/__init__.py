"""The model: a SigLIP checkpoint, its preprocessing and tokenizer, its image and text towers, its scores.

Knows nothing of libraries, folders or command lines. Nothing heavy is imported here: torch and transformers come in
with `siglip.torch_runtime`, when a tower is first asked for.
"""

from siglip.checkpoint import Checkpoint, load_checkpoint
from siglip.errors import CheckpointError
from siglip.preprocessing import Preprocessing
from siglip.scoring import Scoring
from siglip.towers import ImageTower, TextTower

__all__ = ["Checkpoint", "CheckpointError", "ImageTower", "Preprocessing", "Scoring", "TextTower", "load_checkpoint"]

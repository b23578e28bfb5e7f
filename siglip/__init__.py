"""The model: a SigLIP checkpoint with its preprocessing, tokenizer, towers and scores.

This room knows nothing of libraries, folders or command lines. Importing it is fast: torch and
transformers are imported by `sigseek.siglip.runtimes.torch`, when a tower is first loaded on torch.
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

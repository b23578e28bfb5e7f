"""Texts to token ids, padded as in training."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from transformers import PreTrainedTokenizerBase, SiglipTokenizer
from transformers.models.siglip2.tokenization_siglip2 import Siglip2Tokenizer

from siglip.checkpoint import Checkpoint
from siglip.errors import CheckpointError


class Tokenizer:
    """SigLIP's sentencepiece tokenizer, or SigLIP 2's (Gemma's, lower-cased) where the checkpoint has no spiece.model."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._length = checkpoint.text_length
        sentencepiece = (checkpoint.directory / "spiece.model").is_file()
        kind: type[PreTrainedTokenizerBase] = SiglipTokenizer if sentencepiece else Siglip2Tokenizer
        try:
            self._tokenizer = kind.from_pretrained(checkpoint.directory, local_files_only=True)
        except Exception as error:  # the readers below raise plain Exception for a damaged file
            raise CheckpointError(f"the tokenizer in {checkpoint.directory} is damaged ({error}); fetch it again") from error

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.int64]:
        """Token ids int64 (n, text length): each text cut or padded on the right to the fixed length.

        There is no attention mask: the padding is attended, as it was in training.
        """
        ids = self._tokenizer(list(texts), padding="max_length", max_length=self._length, truncation=True, padding_side="right")[
            "input_ids"
        ]
        return np.array(ids, dtype=np.int64).reshape(len(texts), self._length)

    def cuts(self, text: str) -> bool:
        """Whether the text has more tokens than the checkpoint reads."""
        return len(self._tokenizer(text, verbose=False)["input_ids"]) > self._length

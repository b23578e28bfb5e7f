"""Texts to token ids, padded as in training.

transformers is not used here: importing it takes longer than a whole search.
"""

import json
import re
import string
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from sigseek.errors import ErrorKind
from sigseek.siglip.checkpoint import Checkpoint
from sigseek.siglip.errors import FETCH_AGAIN, CheckpointError

_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)
_SPACE = "▁"  # how sentencepiece writes a space
_WORD = re.compile(r"[^\W\d_]{4,}")
_FEWEST_PIECES = 3
_MOST_WORDS, _LONGEST_TEXT = 5, 1000
"""How many unfamiliar words are returned, and among how many characters they are looked for."""


class _Vocabulary(Protocol):
    pad: int
    unknown: frozenset[int]
    """The ids that stand for characters that are not in the vocabulary."""
    silent: frozenset[int]
    """The ids of spaces, and of what begins and ends a text."""

    def ids(self, text: str) -> list[int]:
        """Return all token ids of the text, the end-of-sentence token included."""
        ...

    def cut(self, ids: list[int], length: int) -> list[int]:
        """Return the first `length` ids at most, still with the end-of-sentence token last."""
        ...


class Tokenizer:
    """SigLIP's sentencepiece tokenizer, or SigLIP 2's where the checkpoint has no spiece.model.

    SigLIP 2's is Gemma's, lower-cased. Several threads may use one tokenizer.
    """

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._length = checkpoint.text_length
        kind = _SentencePiece if (checkpoint.directory / "spiece.model").is_file() else _Gemma
        try:
            self._vocabulary: _Vocabulary = kind(checkpoint.directory)
        except Exception as error:  # the readers below raise plain Exception for a damaged file
            raise CheckpointError(
                f"the tokenizer in {checkpoint.directory} is damaged ({error})",
                FETCH_AGAIN,
                ErrorKind.DAMAGED,
            ) from error

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.int64]:
        """Return token ids int64 (n, text length).

        Each text is cut or padded on the right to the fixed length. There is no attention mask: the
        padding is attended, as it was in training.
        """
        rows = np.full((len(texts), self._length), self._vocabulary.pad, np.int64)
        for row, text in zip(rows, texts, strict=True):
            ids = self._vocabulary.cut(self._vocabulary.ids(text), self._length)
            row[: len(ids)] = ids
        return rows

    def cuts(self, text: str) -> bool:
        """Return whether the text has more tokens than the checkpoint reads."""
        return len(self._vocabulary.ids(text)) > self._length

    def unknown_share(self, text: str) -> float:
        """Return the share, 0 to 1, of the text's tokens that stand for unknown characters. Spaces
        do not count. The share is 1 if nothing is left of the text.
        """
        ids = [id_ for id_ in self._vocabulary.ids(text) if id_ not in self._vocabulary.silent]
        return sum(id_ in self._vocabulary.unknown for id_ in ids) / len(ids) if ids else 1.0

    def unfamiliar_words(self, text: str) -> tuple[str, ...]:
        """Return the words of four letters or more that the vocabulary has only in pieces of less
        than two letters on average, or not at all; at most the first five.

        Scripts without small letters are left out, because one character may be a word there.
        """
        if len(text) > _LONGEST_TEXT:  # not in the middle of a word, which would seem unknown
            text = " ".join(text[:_LONGEST_TEXT].rsplit(maxsplit=1)[:1])
        words = dict.fromkeys(_WORD.findall(text))
        found = (word for word in words if word.lower() != word.upper() and self._is_pieces(word))
        return tuple(islice(found, _MOST_WORDS))

    def _is_pieces(self, word: str) -> bool:
        ids = self._vocabulary.ids(f" {word}")  # as in the middle of a text
        ids = [id_ for id_ in ids if id_ not in self._vocabulary.silent]
        unknown = any(id_ in self._vocabulary.unknown for id_ in ids)
        return unknown or (len(ids) >= _FEWEST_PIECES and len(word) < 2 * len(ids))


class _SentencePiece:
    """The steps of transformers' SiglipTokenizer.

    Texts are lower-cased and lose their punctuation; `</s>` ends them and pads them.
    """

    def __init__(self, directory: Path) -> None:
        from sentencepiece import SentencePieceProcessor

        config = _config(directory)
        self._pieces = SentencePieceProcessor(model_file=str(directory / "spiece.model"))
        self._lower = config.get("do_lower_case", True)
        self._unknown = _content(config.get("unk_token", "<unk>"))
        self._unknown_length = len(self._pieces.encode(self._unknown))
        end, padding = (_content(config.get(key, "</s>")) for key in ("eos_token", "pad_token"))
        added = {
            token["content"]: int(id_)
            for id_, token in (config.get("added_tokens_decoder") or {}).items()
        }
        self._special = {
            token: self._pieces.piece_to_id(token) for token in (end, padding, self._unknown)
        } | added
        self._end, self.pad = self._special[end], self._special[padding]
        self.unknown = frozenset({self._special[self._unknown]})
        self.silent = frozenset({self._end, self._pieces.piece_to_id(_SPACE)}) - self.unknown
        longest_first = sorted(self._special, key=len, reverse=True)
        self._split = re.compile("(" + "|".join(map(re.escape, longest_first)) + ")")

    def ids(self, text: str) -> list[int]:
        ids: list[int] = []
        parts = [part for part in self._split.split(_SPACE + text.replace(_SPACE, " ")) if part]
        for place, part in enumerate(parts):
            if part in self._special:
                ids.append(self._special[part])
                continue
            # The space that was added in front, when a special token comes first, is not text.
            if not (place == 0 and part == _SPACE and len(parts) > 1):
                ids += self._plain_ids(part)
        return self.cut(ids, len(ids) + 1)

    def cut(self, ids: list[int], length: int) -> list[int]:
        kept = ids[: length - 1]
        return kept if kept and kept[-1] == self._end else [*kept, self._end]

    def _plain_ids(self, text: str) -> list[int]:
        """Encode text that holds no special token.

        Sentencepiece drops a leading space. So the text is encoded behind `<unk>`, and the tokens
        of `<unk>` are left out.
        """
        text = re.sub(
            r"\s+", " ", (text.lower() if self._lower else text).translate(_NO_PUNCTUATION)
        ).strip()
        ids: list[int] = self._pieces.encode(self._unknown + text)
        before = self._unknown_length
        return ids[before:] if len(ids) >= before else ids


class _Gemma:
    """The steps of transformers' Siglip2Tokenizer.

    It is Gemma's BPE on lower-cased text, with `<eos>` at the end, padded on the right.
    """

    def __init__(self, directory: Path) -> None:
        from tokenizers import Tokenizer as Backend
        from tokenizers import normalizers, pre_tokenizers, processors

        config = _config(directory)
        self._backend = Backend.from_file(str(directory / "tokenizer.json"))
        self._backend.no_truncation()
        self._backend.no_padding()
        self._backend.normalizer = normalizers.Sequence(
            [normalizers.Lowercase(), normalizers.Replace(" ", _SPACE)]
        )
        self._backend.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
        begin, end, padding = (
            _content(config.get(key, default))
            for key, default in (
                ("bos_token", "<bos>"),
                ("eos_token", "<eos>"),
                ("pad_token", "<pad>"),
            )
        )
        self.pad = self._id(padding)
        if "add_bos_token" in config or "add_eos_token" in config:
            first, last = config.get("add_bos_token", False), config.get("add_eos_token", False)
            self._backend.post_processor = processors.TemplateProcessing(
                single=f"{begin + ' ' if first else ''}$A{' ' + end if last else ''}",
                special_tokens=[
                    (token, self._id(token))
                    for token, used in ((begin, first), (end, last))
                    if used
                ],
            )
        around = self._backend.encode("").ids
        self._ending = around[-1:] if around and around[-1] == self._id(end) else []
        # Characters outside of the vocabulary become their bytes in UTF-8, a token each.
        unknown = {"<unk>", *(f"<0x{byte:02X}>" for byte in range(256))}
        self.unknown = self._known_ids(unknown)
        self.silent = self._known_ids({_SPACE, begin, end, padding})

    def ids(self, text: str) -> list[int]:
        ids: list[int] = self._backend.encode(text).ids
        return ids

    def cut(self, ids: list[int], length: int) -> list[int]:
        return ids if len(ids) <= length else ids[: length - len(self._ending)] + self._ending

    def _known_ids(self, tokens: set[str]) -> frozenset[int]:
        """Return the ids of those of the tokens that the vocabulary has."""
        found = (self._backend.token_to_id(token) for token in tokens)
        return frozenset(id_ for id_ in found if id_ is not None)

    def _id(self, token: str) -> int:
        found: int | None = self._backend.token_to_id(token)
        if found is None:
            raise ValueError(f"no token {token}")
        return found


def _config(directory: Path) -> dict[str, Any]:
    path = directory / "tokenizer_config.json"
    config: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return config


def _content(token: str | dict[str, str]) -> str:
    """Return the token's text. Older configurations write a special token as an object."""
    return token if isinstance(token, str) else token["content"]

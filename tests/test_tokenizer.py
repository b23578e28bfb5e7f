import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from transformers import SiglipProcessor
from transformers.models.siglip2.tokenization_siglip2 import Siglip2Tokenizer

from sigseek.siglip import Checkpoint
from sigseek.siglip.checkpoint import MINI_DIRECTORY, read_checkpoint
from sigseek.siglip.tokenizer import Tokenizer
from tests.checkpoints import save_siglip2_tokenizer, save_tiny

TEXTS = (
    st.text() | st.text("aA bBcC▁.,!?'\"-éßИ鳥🦜{}<>/s\n\t", max_size=300) | st.just("cat " * 500)
)


@pytest.fixture(scope="module")
def siglip2(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    directory = save_tiny(tmp_path_factory.mktemp("tiny") / "siglip2")
    (directory / "spiece.model").unlink()
    save_siglip2_tokenizer(directory)
    return read_checkpoint(directory, "siglip2")


@settings(deadline=None, max_examples=150)
@given(text=TEXTS)
@example("")
@example("   ")
@example("Two CATS, on a sofa!")
@example("</s> and <unk>")
@example("</s>")
@example("a cat </s>")
@example("▁a▁cat <unk>")
def test_ids_are_the_processors(mini: Checkpoint, text: str) -> None:
    ids = Tokenizer_of(mini).encode([text])
    assert ids.shape == (1, 64)
    np.testing.assert_array_equal(ids, _processor_ids(text))


def test_the_words_of_two_wordings_are_the_same(mini: Checkpoint) -> None:
    plain, shouted = Tokenizer_of(mini).encode(["two cats on a sofa", "Two CATS, on a sofa!"])
    np.testing.assert_array_equal(plain, shouted)
    assert (plain[-40:] == 1).all(), "the padding is </s>, as in training"


@settings(deadline=None, max_examples=100)
@given(text=TEXTS)
@example("")
@example("A Red HOUSE")
def test_siglip2_ids_are_the_reference_tokenizers(siglip2: Checkpoint, text: str) -> None:
    ids = Tokenizer_of(siglip2).encode([text])
    reference = _siglip2_reference(siglip2.directory)
    expected = reference(
        text, padding="max_length", max_length=64, truncation=True, padding_side="right"
    )["input_ids"]
    np.testing.assert_array_equal(ids[0], expected)
    assert ids[0].tolist().count(1) >= 1, "EOS ends every text"
    assert ids[0][0] != 0 or not text, "padding is on the right"


def test_long_text_is_reported_as_cut(mini: Checkpoint) -> None:
    tokenizer = Tokenizer_of(mini)
    assert tokenizer.cuts("cat " * 64)
    assert not tokenizer.cuts("two cats on a sofa")


def test_text_length_is_the_checkpoints(tmp_path: Path) -> None:
    checkpoint = read_checkpoint(save_tiny(tmp_path / "short", max_position_embeddings=20), "short")
    assert Tokenizer(checkpoint).encode(["a cat", "cat " * 100]).shape == (2, 20)


_made: dict[str, Tokenizer] = {}


def Tokenizer_of(checkpoint: Checkpoint) -> Tokenizer:  # noqa: N802 - loading takes longer than encoding
    return _made.setdefault(checkpoint.fingerprint, Tokenizer(checkpoint))


_processor: list[SiglipProcessor] = []
_reference: dict[Path, Siglip2Tokenizer] = {}


def _processor_ids(text: str) -> np.ndarray:
    if not _processor:
        _processor.append(SiglipProcessor.from_pretrained(MINI_DIRECTORY))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a text that ends in </s> itself
        return np.array(
            _processor[0](text=[text], padding="max_length", truncation=True, max_length=64)[
                "input_ids"
            ]
        )


def _siglip2_reference(directory: Path) -> Siglip2Tokenizer:
    return _reference.setdefault(directory, Siglip2Tokenizer.from_pretrained(directory))


@pytest.mark.parametrize(
    ("text", "share"),
    [
        ("a red house", 0),
        ("xylophone zebra", 0),  # rare words are spelled in pieces
        ("собака", 1),
        ("красный дом", 1),
        ("红色的房子", 1),
        ("🐶", 1),
        ("a photo of собака", 0.25),
        ("house собака", 0.5),
        ("", 1),
    ],
)
def test_how_much_of_a_text_an_english_vocabulary_does_not_know(
    mini: Checkpoint, text: str, share: float
) -> None:
    assert Tokenizer_of(mini).unknown_share(text) == share


@settings(deadline=None, max_examples=100)
@given(text=TEXTS)
def test_the_share_of_unknown_tokens_is_between_0_and_1(
    mini: Checkpoint, siglip2: Checkpoint, text: str
) -> None:
    assert 0 <= Tokenizer_of(mini).unknown_share(text) <= 1
    assert 0 <= Tokenizer_of(siglip2).unknown_share(text) <= 1


def test_bytes_are_unknown_to_a_vocabulary_that_spells_characters_by_them(
    siglip2: Checkpoint,
) -> None:
    assert Tokenizer_of(siglip2).unknown_share("a red house") == 0
    assert Tokenizer_of(siglip2).unknown_share("鳥") == 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a red house at night", ()),
        ("sdfsdflksdfj and xqzvk, sdfsdflksdfj", ("sdfsdflksdfj", "xqzvk")),
        ("a Xqzvk", ("Xqzvk",)),
        ("xqz 1234567 ____", ()),  # short, and no words
        ("a photo of собака", ("собака",)),
        ("红色的房子", ()),  # a character is a word
        (" ".join(f"xqzv{letter}" for letter in "bcdfghj"), tuple(f"xqzv{x}" for x in "bcdfg")),
        ("", ()),
    ],
)
def test_words_that_the_vocabulary_has_only_in_letters(
    mini: Checkpoint, text: str, words: tuple[str, ...]
) -> None:
    assert Tokenizer_of(mini).unfamiliar_words(text) == words


def test_words_of_bytes_and_letters_are_unfamiliar_to_siglip_2_as_well(siglip2: Checkpoint) -> None:
    assert Tokenizer_of(siglip2).unfamiliar_words("xqzvkj") == ("xqzvkj",)

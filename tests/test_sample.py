"""The photos that an int8 conversion learns from."""

import random
import threading
import time
from pathlib import Path, PurePath

import pytest

from sigseek.errors import StoppedError
from sigseek.indexer.decoding.decode import DecodedPhoto
from sigseek.indexer.decoding.guarded import GuardedDecoder
from sigseek.indexer.sample import sample_photos
from sigseek.indexer.scan import scan_folder
from sigseek.progress import Stop
from sigseek.siglip import Checkpoint
from tests.photos import save


def test_nobody_waits_for_photos_beyond_the_sample(
    tmp_path: Path, mini: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(4):
        save(tmp_path / f"{number}.png", seed=number)
    first = random.Random(0).sample([*scan_folder(tmp_path, PurePath()).files], 4)[0]
    decode, released = GuardedDecoder.decode, threading.Event()

    def decode_only_the_first(decoder: GuardedDecoder, path: Path) -> DecodedPhoto:
        if path.name != first:
            released.wait(20)
        return decode(decoder, path)

    monkeypatch.setattr(GuardedDecoder, "decode", decode_only_the_first)
    try:
        began = time.monotonic()
        assert len(sample_photos([tmp_path], mini.preprocessing, 1)) == 1
        assert time.monotonic() - began < 15
    finally:
        released.set()


def test_a_sample_is_taken_until_the_stop(
    tmp_path: Path, mini: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(4):
        save(tmp_path / f"{number}.png", seed=number)
    decode, stop = GuardedDecoder.decode, Stop()

    def decode_and_stop(decoder: GuardedDecoder, path: Path) -> DecodedPhoto:
        stop.set()
        return decode(decoder, path)

    monkeypatch.setattr(GuardedDecoder, "decode", decode_and_stop)
    with pytest.raises(StoppedError):
        sample_photos([tmp_path], mini.preprocessing, 4, stop)

"""A text tower for many threads that each embed a few texts, as those of a server do.

Texts that are waiting share a forward pass, which costs less for each of them. The embeddings of
the last texts are kept, because the next page of an answer asks for the same text again.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from sigseek.siglip.towers import TextTower

Floats = npt.NDArray[np.float32]

LARGEST_PASS = 16
"""Texts in one shared forward pass. More of them are hardly faster, and all wait for the last."""
_FEW = 16
"""A call with more texts than this has a forward pass of its own, and none of them is kept."""
_KEPT = 1000
_LONGEST_KEPT = 1000
"""Characters of the longest text that is kept."""


class _Call:
    """The texts that one thread waits for."""

    def __init__(self, texts: Sequence[str]) -> None:
        self.texts = texts
        self.woken = threading.Event()
        self.leads = False
        """Whether this thread runs the next pass."""
        self.found: dict[str, Floats] | None = None
        """The embeddings (dim,). None after the pass failed, for whatever reason."""


class SharedTextTower:
    """A text tower around another one; see `sigseek.siglip.towers.TextTower`.

    A thread that finds no pass under way embeds its texts at once. The others wait for the end of
    that pass; then one of them embeds the texts of all. So nobody waits while the tower is idle.
    """

    def __init__(self, tower: TextTower) -> None:
        self._tower = tower
        self._lock = threading.Lock()
        self._waiting: deque[_Call] = deque()
        self._is_embedding = False
        self._kept: OrderedDict[str, Floats] = OrderedDict()

    def embed(self, texts: Sequence[str]) -> Floats:
        """Return unit-norm embeddings float32 (n, dim) of texts."""
        if not texts or len(texts) > _FEW:
            return self._tower.embed(texts)
        found = self._known(texts)
        missing = [text for text in dict.fromkeys(texts) if text not in found]
        if missing:
            found |= self._embed_with_others(missing)
        return np.stack([found[text] for text in texts])

    def cuts(self, text: str) -> bool:
        """Return whether the text is longer than the checkpoint reads."""
        return self._tower.cuts(text)

    def unknown_share(self, text: str) -> float:
        """Return the share, 0 to 1, of the text's tokens that the checkpoint does not know."""
        return self._tower.unknown_share(text)

    def unfamiliar_words(self, text: str) -> tuple[str, ...]:
        """Return the words that the checkpoint's vocabulary only has in letters, at most five."""
        return self._tower.unfamiliar_words(text)

    def _known(self, texts: Sequence[str]) -> dict[str, Floats]:
        """Return the embeddings that are kept of these texts."""
        with self._lock:
            found = {text: self._kept[text] for text in texts if text in self._kept}
            for text in found:
                self._kept.move_to_end(text)
        return found

    def _embed_with_others(self, texts: Sequence[str]) -> dict[str, Floats]:
        """Return the embedding (dim,) of each text, of a pass that other threads may share."""
        call = _Call(texts)
        try:
            with self._lock:
                self._waiting.append(call)
                call.leads = not self._is_embedding
                self._is_embedding = True
            if not call.leads:
                call.woken.wait()
            if call.leads:
                self._embed_waiting(call)
        except BaseException:  # a Ctrl-C, for example: nobody may wait for this thread
            with self._lock:
                if call in self._waiting:
                    self._waiting.remove(call)
                self._hand_over(call)
            raise
        # After a failed pass each call asks alone, so that a text fails nobody else's call.
        return self._embed_now(texts) if call.found is None else call.found

    def _embed_waiting(self, leader: _Call) -> None:
        """Run a pass for the calls that wait, the leader's first, and wake them. If others came
        meanwhile, one of their threads runs the next pass.
        """
        with self._lock:
            calls = [self._waiting.popleft()]
            count = len(calls[0].texts)
            while self._waiting and count + len(self._waiting[0].texts) <= LARGEST_PASS:
                calls.append(self._waiting.popleft())
                count += len(calls[-1].texts)
        try:
            found = self._embed_now([text for call in calls for text in call.texts])
            for call in calls:
                call.found = {text: found[text] for text in call.texts}
        except Exception:
            if len(calls) == 1:  # it would fail again
                raise
        finally:
            with self._lock:
                self._hand_over(leader)
            for call in calls:
                call.woken.set()

    def _hand_over(self, leader: _Call) -> None:
        """Let the thread of the next call run the next pass, if it was the leader's turn. The lock
        is held.
        """
        if not leader.leads:
            return
        leader.leads = False
        self._is_embedding = bool(self._waiting)
        if self._waiting:
            self._waiting[0].leads = True
            self._waiting[0].woken.set()

    def _embed_now(self, texts: Sequence[str]) -> dict[str, Floats]:
        """Return the embedding (dim,) of each text, and keep it."""
        distinct = list(dict.fromkeys(texts))
        # Each row is copied: a view would keep the whole pass in memory.
        rows = [row.copy() for row in self._tower.embed(distinct)]
        found = dict(zip(distinct, rows, strict=True))
        with self._lock:
            for text, row in found.items():
                if len(text) <= _LONGEST_KEPT:
                    self._kept[text] = row
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return found

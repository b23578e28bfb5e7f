"""What a type checker is to know of `import sigseek`. mypy checks it, and nothing runs it."""

from datetime import datetime
from typing import assert_type

import sigseek


class Told:
    """A listener as a user writes one."""

    def advanced(self, progress: sigseek.Progress) -> None:
        assert_type(progress.phase, sigseek.Phase)

    def said(self, line: str | sigseek.Remedy) -> None: ...

    def met(self, problem: sigseek.Problem) -> None: ...


def use() -> None:
    with sigseek.open("a", device="cpu", precision="fp32") as library:
        assert_type(library, sigseek.Library)
        assert_type(library.search("a cat"), sigseek.SearchResults)
        assert_type(library.search("a cat")[0], sigseek.Hit)
        assert_type(library.similar("a.jpg"), list[sigseek.SimilarHit])
        assert_type(library.status(), sigseek.Status)
        assert_type(library.status().folders[0].indexed_at, datetime | None)
        assert_type(library.index("b", listener=Told()), sigseek.IndexReport)
        assert_type(library.verify().problems, tuple[sigseek.VerifyProblem, ...])
        for hit in library.search("a cat"):
            assert_type(hit.probability, float)
            assert_type(hit.verdict, sigseek.Verdict | None)
        for photo in library.classify(["a.jpg"], ["a cat"]):
            assert_type(photo.scores[0], sigseek.LabelScore)
        for event in library.watch(stop=sigseek.Stop()):
            assert_type(event.report, sigseek.IndexReport | None)

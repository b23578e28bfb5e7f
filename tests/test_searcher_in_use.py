"""The searcher that a library keeps, while another process changes the library."""

from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

import sigseek
from sigseek.search.searcher import Searcher
from sigseek.storage import Catalog
from tests.catalogs import add_photos, random_unit
from tests.databases import Databases
from tests.indexed import indexed, save_photos
from tests.statements import listening

pytestmark = pytest.mark.both_databases(milvus=True)


def test_an_answer_is_of_one_moment_though_the_library_changes_with_every_question(
    tmp_path: Path,
) -> None:
    photos = save_photos(tmp_path / "photos")
    asked: list[tuple[int, int, int]] = []
    with indexed(tmp_path / "library", photos) as library:
        with closing(Catalog(library.directory)) as other:
            (record,) = other.checkpoints()

            def count(searcher: Searcher) -> int:
                ids, _ = searcher._retriever.exact([np.zeros(record.dimension, np.float32)], None)
                return len(ids)

            def question(searcher: Searcher) -> tuple[int, int, int]:
                before = count(searcher)
                vector = random_unit(1, record.dimension)
                add_photos(other, record, vector, photos, [f"{len(asked)}.jpg"])
                asked.append((searcher.checkpoint.embeddings, before, count(searcher)))
                return asked[-1]

            assert library._opened.searcher.ask(question) == (12, 12, 12)
            assert library._opened.searcher.ask(question) == (13, 13, 13)
            assert library._opened.searcher.ask(question, takes_long=True) == (15, 15, 15)
        assert asked == [(12, 12, 12), (13, 13, 13), (14, 14, 15), (15, 15, 15)]
        hits = library.search("a house", limit=100, include_all=True)
        assert len(hits) == 16, "what was added in the middle is found by the next search"


@pytest.mark.faiss_only("the embeddings of a server's candidates are read from the catalog")
def test_a_search_reads_little_from_the_catalog(tmp_path: Path, databases: Databases) -> None:
    with indexed(tmp_path / "library", save_photos(tmp_path / "photos")) as library:
        before = library.search("a house", limit=3, include_all=True)
        with listening() as asked:
            assert library.search("a house", limit=3, include_all=True) == before
        assert (len(before), before.next_page is not None) == (3, True)
        assert asked.sessions == 1
        # the state with the newest photo for the page, and the photos with their files and words
        assert len(asked.statements) == 2
    with sigseek.open(tmp_path / "library") as unnamed:
        for _ in range(2):  # from the second search on the library's default is known
            unnamed.search("a house", limit=3, include_all=True)
        with listening() as asked:
            unnamed.search("a house", limit=3, include_all=True)
        # A server is asked for the default each time; a file says whether it has changed.
        more = databases.kind != "sqlite"
        assert (asked.sessions, len(asked.statements)) == (1 + more, 2 + more)


def test_a_question_is_asked_once_while_nothing_changes(tmp_path: Path) -> None:
    with indexed(tmp_path / "library", save_photos(tmp_path / "photos")) as library:
        asked: list[Searcher] = []
        for _ in range(2):
            library._opened.searcher.ask(asked.append)
        assert len(asked) == 2
        assert asked[0]._retriever is asked[1]._retriever, "nothing was loaded again"

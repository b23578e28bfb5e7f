"""One library and many threads: every answer is that of some state of the library; none fails."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from threading import Event, Lock

import pytest

import sigseek
from sigseek.demo.photos import draw_photos
from sigseek.operations.searcher import _AT_ONCE
from sigseek.progress import Stop
from sigseek.search.searcher import Searcher
from tests.conftest import Run

THREADS = 16
QUERIES = ("a red car", "a house AND NOT at night", "two trees by the sea", "a cat OR a dog")
LABELS = ("a house", "a boat")
KEPT, ADDED = 40, 12
"""Drawings that stay in the library, and that are added and forgotten: fewer than the image tower
takes at once, so that they come and go in one transaction each.
"""

Answer = dict[str, tuple[float, ...]]
"""Numbers by a photo's path, or by whatever else they belong to."""
Ask = Callable[[sigseek.Library], Answer]


def test_threads_get_what_one_thread_gets(
    tmp_path: Path, drawn: Path, mini_library: Path, run: Run
) -> None:
    """Meanwhile another process indexes a folder and forgets it while 16 threads ask."""
    added = tmp_path / "added"
    directory = Path(shutil.copytree(mini_library, tmp_path / "library"))
    draw_photos(added, ADDED, seed=502)
    asked = questions(sorted(drawn.glob("*.jpg"))[:3])
    changes = [("index", added), ("forget", added, "--yes")]

    with sigseek.open(directory, precision="fp32") as library:
        states = [ask_all(library, asked)]
        for change in changes:
            run(*change, "--library", directory)
            states.append(ask_all(library, asked))
        check_states(states)

        stop = Event()
        with ThreadPoolExecutor(THREADS) as pool:
            running = [
                pool.submit(keep_asking, library, asked, number, stop) for number in range(THREADS)
            ]
            try:
                for change in changes:
                    run(*change, "--library", directory)
            finally:
                stop.set()
            found = [one.result() for one in running]

    assert sum(map(len, found)) >= 2 * THREADS
    for answers in found:
        check_order(answers, states)


def questions(photos: Sequence[Path]) -> dict[str, Ask]:
    """Return what the threads ask, by name."""
    asked: dict[str, Ask] = {query: partial(search, query=query) for query in QUERIES}
    asked["photo term"] = partial(search, query=f'photo:"{photos[2]}" AND a boat')
    for photo in photos[:2]:
        asked[photo.name] = partial(similar, photo=photo)
    asked["classify"] = partial(classify, photo=photos[0])
    asked["status"] = lambda library: {
        one.model: (one.embeddings,) for one in library.status().checkpoints
    }
    return asked


def search(library: sigseek.Library, query: str) -> Answer:
    """Give all photos: which of them match is judged a little later than they come."""
    hits = library.search(query, limit=KEPT + ADDED, include_all=True, include_self=True)
    return {hit.path: (hit.probability, hit.score) for hit in hits}


def similar(library: sigseek.Library, photo: Path) -> Answer:
    hits = library.similar(photo, limit=20)
    return {hit.path: (hit.cosine,) for hit in hits} | notes(library)


def classify(library: sigseek.Library, photo: Path) -> Answer:
    (found,) = library.classify([photo], LABELS)
    return {one.label: (one.score,) for one in found.scores} | notes(library)


def notes(library: sigseek.Library) -> Answer:
    """Return what is said of the last answer: of classifying alone, that mini knows no photographs;
    it is no other thread's.
    """
    return {str(note): () for note in library.checkpoint_notes}


def ask_all(library: sigseek.Library, asked: dict[str, Ask]) -> dict[str, Answer]:
    return {name: ask(library) for name, ask in asked.items()}


def check_states(states: Sequence[dict[str, Answer]]) -> None:
    """Check that the folder changes what is answered, and that forgetting it brings the first
    answers back.
    """
    before, within, after = states
    assert before["status"] == {"mini": (KEPT,)}
    assert within["status"] == {"mini": (KEPT + ADDED,)}
    for query in (*QUERIES, "photo term"):
        assert len(before[query]) == KEPT
        assert len(within[query]) == KEPT + ADDED
        assert same(before[query], after[query])


def check_order(answers: Sequence[tuple[str, Answer]], states: Sequence[dict[str, Answer]]) -> None:
    """Check that each answer of a thread is that of one state, and that no answer is of an earlier
    state than one before it.
    """
    reached = 0
    for name, answer in answers:
        equal = [number for number, state in enumerate(states) if same(answer, state[name])]
        assert equal, f"{name}: the answer of no state"
        later = [number for number in equal if number >= reached]
        assert later, f"{name}: the answer of an earlier state"
        reached = later[0]


def keep_asking(
    library: sigseek.Library, asked: dict[str, Ask], start: int, stop: Event
) -> list[tuple[str, Answer]]:
    """Ask one question after the other, each thread from another one on; return the answers."""
    names = list(asked)
    found: list[tuple[str, Answer]] = []
    while not stop.is_set():
        name = names[(start + len(found)) % len(names)]
        found.append((name, asked[name](library)))
    return found


def same(one: Answer, other: Answer) -> bool:
    """Return whether the answers agree to rounding: the last bit depends on how much is scored at
    once.
    """
    return one.keys() == other.keys() and all(
        numbers == pytest.approx(other[key], abs=2e-5) for key, numbers in one.items()
    )


_MANY_CALLS = """
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
import sigseek

directory, photo, first_calls, all_calls = sys.argv[1:]

def ask(number):
    if number % 10 == 0:
        library.status()
    elif number % 10 == 1:
        library.similar(photo)
    else:
        library.search(f"a house {number}", explain=True)

def resident():
    fields = Path("/proc/self/status").read_text().split()
    return int(fields[fields.index("VmRSS:") + 1]) * 1024

with sigseek.open(directory) as library, ThreadPoolExecutor(4) as pool:
    for calls in (range(int(first_calls)), range(int(first_calls), int(all_calls))):
        for _ in pool.map(ask, calls):
            pass
        print(resident(), flush=True)
"""


def test_threads_take_turns_though_the_library_changes(tmp_path: Path, mini_library: Path) -> None:
    """Each thread waits for its turn in one state of the library, and asks in the next one."""
    directory = Path(shutil.copytree(mini_library, tmp_path / "library"))
    draw_photos(tmp_path / "added", 1, seed=503)
    inside, most, lock = list[int](), list[int](), Lock()

    def question(_: Searcher) -> None:
        with lock:
            inside.append(1)
            most.append(len(inside))
        time.sleep(0.05)
        with lock:
            inside.pop()

    with (
        sigseek.open(directory, model="mini") as library,
        sigseek.open(directory, model="mini") as other,
    ):
        searcher = library._opened.searcher
        searcher.get()
        with ThreadPoolExecutor(THREADS) as pool:
            with ExitStack() as turns:  # all turns are taken until the library has changed
                for _ in range(_AT_ONCE):
                    turns.enter_context(searcher._turns.holding(Stop()))
                asked = [pool.submit(searcher.ask, question) for _ in range(THREADS)]
                while len(searcher._turns._waiting) < THREADS:
                    time.sleep(0.01)
                other.index(tmp_path / "added")
            for one in asked:
                one.result()
    assert max(most) == _AT_ONCE


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process's memory in /proc")
@pytest.mark.parametrize(
    ("first_calls", "all_calls", "most_growth"),
    [(150, 450, 5_000_000), pytest.param(1_000, 5_000, 30_000_000, marks=pytest.mark.slow)],
)
def test_memory_stays_flat(
    mini_library: Path, drawn: Path, first_calls: int, all_calls: int, most_growth: int
) -> None:
    """A leak of a query's results would be more than twice the bytes that a process may grow."""
    photo = next(drawn.glob("*.jpg"))
    done = subprocess.run(
        [sys.executable, "-c", _MANY_CALLS, mini_library, photo, str(first_calls), str(all_calls)],
        capture_output=True,
        text=True,
        env=os.environ,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    before, after = map(int, done.stdout.split())
    assert after - before < most_growth

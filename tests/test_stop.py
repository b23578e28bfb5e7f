"""Whatever takes long is stopped by its caller, and nothing is lost."""

import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import faiss
import numpy as np
import pytest

import sigseek
from sigseek.errors import Remedy
from sigseek.evaluation import run
from sigseek.evaluation.measure import measure
from sigseek.evaluation.run import evaluate
from sigseek.progress import Listener, Phase, Progress, Silence, Stop
from sigseek.siglip import Checkpoint, ImageTower, TextTower, checkpoint
from sigseek.siglip.checkpoint import read_checkpoint
from sigseek.siglip.processes import command
from sigseek.siglip.runtimes import conversion
from sigseek.siglip.runtimes.conversion import convert, find_conversion
from sigseek.siglip.yardstick import embeddings
from sigseek.siglip.yardstick.embeddings import load_yardstick
from sigseek.siglip.yardstick.steps import YardstickStep
from sigseek.storage import Catalog, CatalogReader
from sigseek.storage.embeddings import CheckpointEmbeddings
from sigseek.storage.index import faiss_build
from sigseek.storage.index.file_store import FileStore
from tests.catalogs import add_checkpoint, add_many, add_photos, random_unit
from tests.checkpoints import save_tiny
from tests.conversions import converting_here
from tests.listeners import Heard
from tests.photos import save
from tests.test_pipeline import Library as PixelLibrary


@pytest.fixture
def stopped() -> Stop:
    """A token that somebody has set."""
    stop = Stop()
    stop.set()
    return stop


@pytest.fixture
def library(tmp_path: Path, drawn: Path) -> Iterator[sigseek.Library]:
    photos = shutil.copytree(drawn, tmp_path / "photos")
    with sigseek.open(tmp_path / "library", model="mini") as library:
        library.index(photos)
        yield library


def stopping_at(phase: Phase, done: int = 0) -> tuple[Heard, Stop]:
    """Return a listener that sets a token once the phase has come so far, and the token."""
    stop = Stop()

    def at(progress: Progress) -> None:
        if progress.phase is phase and progress.done >= done:
            stop.set()

    return Heard(at), stop


def test_a_conversion_is_ended_with_its_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIGSEEK_CACHE", str(tmp_path / "cache"))
    tiny = read_checkpoint(save_tiny(tmp_path / "tiny"), "tiny")
    started: list[subprocess.Popen[bytes]] = []
    popen, stop = subprocess.Popen, Stop()

    def start(*arguments: object, **options: object) -> subprocess.Popen[bytes]:
        started.append(popen(*arguments, **options))  # type: ignore[call-overload]
        threading.Timer(0.3, stop.set).start()
        return started[-1]

    monkeypatch.setattr(conversion.subprocess, "Popen", start)
    with pytest.raises(sigseek.StoppedError, match=r"^stopped before it was done$"):
        convert(tiny, "fp32", Silence(), stop)
    assert started[0].poll() == -9, "killed, and waited for"
    assert list((tmp_path / "cache" / "openvino").iterdir()) == [], "nothing is left lying aside"
    assert find_conversion(tiny, "fp32") is None
    with converting_here():
        assert convert(tiny, "fp32", Silence(), Stop()) == find_conversion(tiny, "fp32")


@pytest.fixture
def conversions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory of conversions in an empty cache."""
    monkeypatch.setenv("SIGSEEK_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "openvino"


def _between_the_towers(
    conversions: Path, act: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> threading.Thread:
    """Have the next conversion wait before the text tower. Returns the thread that acts then."""
    monkeypatch.setattr(conversion, "command", lambda _: command("tests.held_export"))

    def run() -> None:
        while not any(conversions.glob(".making-*/held")):
            time.sleep(0.005)
        act()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


def _interrupt_main_thread() -> None:
    main = threading.main_thread().ident
    assert main
    signal.pthread_kill(main, signal.SIGINT)


def test_a_tower_that_a_stopped_conversion_has_finished_is_not_made_again(
    tmp_path: Path, conversions: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny = read_checkpoint(save_tiny(tmp_path / "tiny"), "tiny")
    stop = Stop()
    stopping = _between_the_towers(conversions, stop.set, monkeypatch)
    with pytest.raises(sigseek.StoppedError):
        convert(tiny, "fp32", Silence(), stop)
    stopping.join()
    (kept,) = conversions.iterdir()
    names = ("image.xml", "image.bin")
    before = [(kept / name).stat() for name in names]
    with converting_here():
        made = convert(tiny, "fp32", Silence(), Stop())
    after = [(made / name).stat() for name in names]
    assert [(one.st_ino, one.st_mtime_ns) for one in after] == [
        (one.st_ino, one.st_mtime_ns) for one in before
    ]
    assert find_conversion(tiny, "fp32") == made
    assert list(conversions.iterdir()) == [made]


def test_a_conversion_finishes_the_tower_under_way_after_ctrl_c(
    tmp_path: Path, conversions: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny = read_checkpoint(save_tiny(tmp_path / "tiny"), "tiny")
    heard = Heard()
    interrupting = _between_the_towers(conversions, _interrupt_main_thread, monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        convert(tiny, "fp32", heard, Stop())
    interrupting.join()
    assert heard.lines[-1] == "finishing the step under way; Ctrl-C again stops at once"
    (kept,) = conversions.iterdir()
    names = ("image.xml", "image.bin", "text.xml", "text.bin")
    before = [(kept / name).stat() for name in names]
    with converting_here():
        made = convert(tiny, "fp32", Silence(), Stop())
    after = [(made / name).stat() for name in names]
    assert [(one.st_ino, one.st_mtime_ns) for one in after] == [
        (one.st_ino, one.st_mtime_ns) for one in before
    ]
    assert list(conversions.iterdir()) == [made]


def test_a_second_ctrl_c_ends_a_conversion_at_once(
    tmp_path: Path, conversions: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny = read_checkpoint(save_tiny(tmp_path / "tiny"), "tiny")
    started: list[subprocess.Popen[bytes]] = []
    popen = subprocess.Popen

    def start(*arguments: object, **options: object) -> subprocess.Popen[bytes]:
        started.append(popen(*arguments, **options))  # type: ignore[call-overload]
        return started[-1]

    class Impatient(Heard):
        def said(self, line: str | Remedy) -> None:
            super().said(line)
            if str(line).startswith("finishing"):
                os.kill(started[0].pid, signal.SIGSTOP)  # the step does not end meanwhile
                threading.Timer(0.3, _interrupt_main_thread).start()

    monkeypatch.setattr(conversion.subprocess, "Popen", start)
    interrupting = _between_the_towers(conversions, _interrupt_main_thread, monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        convert(tiny, "fp32", heard := Impatient(), Stop())
    interrupting.join()
    assert [line for line in heard.lines if line.startswith("finishing")] == [heard.lines[-1]]
    assert started[0].poll() == -9, "killed, and waited for"
    (kept,) = conversions.iterdir()
    assert kept.name.startswith(".stopped-")
    assert sorted(path.name for path in kept.iterdir()) == ["image.bin", "image.xml"]


def test_nobody_waits_for_another_threads_conversion_after_a_stop(
    mini: Checkpoint, stopped: Stop
) -> None:
    with conversion._converting, pytest.raises(sigseek.StoppedError):
        convert(mini, "fp32", Silence(), stopped)


@pytest.mark.parametrize("pictures", [0, pytest.param(1, marks=pytest.mark.slow), 2])
def test_a_yardstick_is_stopped_between_its_pictures(
    mini: Checkpoint,
    mini_towers: tuple[ImageTower, TextTower],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    pictures: int,
) -> None:
    images, texts = mini_towers
    stop = Stop()

    class Counting:
        """The image tower, which asks to stop after a number of batches."""

        precision = images.precision
        embedded = 0

        def embed(self, pixels: np.ndarray) -> np.ndarray:
            self.embedded += 1
            if self.embedded == pictures:
                stop.set()
            return images.embed(pixels)

    monkeypatch.setenv("SIGSEEK_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(embeddings, "STEPS", (YardstickStep(2, 1, 32),))
    tower = Counting()
    if not pictures:
        stop.set()
    with pytest.raises(sigseek.StoppedError):
        load_yardstick(mini, tower, lambda: texts, Silence(), stop)  # type: ignore[arg-type]
    assert tower.embedded == pictures
    again = Counting()
    load_yardstick(mini, again, lambda: texts, Silence(), Stop())  # type: ignore[arg-type]
    assert again.embedded == 7 - pictures, "32 pictures, and no batch of 5 is embedded twice"


def test_an_index_is_not_written_after_a_stop(tmp_path: Path, stopped: Stop) -> None:
    catalog, store = Catalog(tmp_path), FileStore(tmp_path / "index")
    checkpoint = add_checkpoint(catalog, 8)
    add_photos(catalog, checkpoint, np.eye(8, dtype=np.float32), tmp_path, list("abcdefgh"))
    record = catalog.checkpoints()[0]
    with pytest.raises(sigseek.StoppedError):
        store.catch_up(CheckpointEmbeddings(catalog, record, stopped))
    assert not store.is_current(CheckpointEmbeddings(catalog, record))
    store.catch_up(CheckpointEmbeddings(catalog, record))
    assert store.is_current(CheckpointEmbeddings(catalog, record))
    assert len(store.open(CheckpointEmbeddings(catalog, record))) == 8
    catalog.close()


def test_an_index_is_trained_as_faiss_does_it_and_until_the_stop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(faiss_build, "_QUANTISED_FROM", 100)
    catalog, store, stop = Catalog(tmp_path), FileStore(tmp_path / "index"), Stop()
    vectors = random_unit(700, 200)
    add_many(catalog, add_checkpoint(catalog, 200).id, vectors)
    record = catalog.checkpoints()[0]

    class Stopping(CheckpointEmbeddings):
        """Embeddings, and a stop that comes between two groups of dimensions."""

        looks = 0

        def check_stop(self) -> None:
            self.looks += 1
            if self.looks == 3:  # of which the first is at the chunk that is learned from
                stop.set()
            super().check_stop()

    stopping = Stopping(catalog, record, stop)
    with pytest.raises(sigseek.StoppedError):
        store.catch_up(stopping)
    assert stopping.looks == 3, "there are four groups"
    embeddings = CheckpointEmbeddings(catalog, record)
    assert not store.is_current(embeddings)
    own = faiss.index_factory(200, "IVF1,PQ100x4fs", faiss.METRIC_INNER_PRODUCT)
    own.train(vectors.astype(np.float16).astype(np.float32))
    made = faiss_build._trained(embeddings)
    assert made.is_trained
    assert np.array_equal(faiss.serialize_index(made), faiss.serialize_index(own))
    catalog.close()


@pytest.mark.parametrize("moment", ["tower", "catching up"])
def test_an_indexing_run_that_is_stopped_is_completed_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    library, folder, stop = PixelLibrary(tmp_path / "library"), tmp_path / "photos", Stop()
    for number in range(5):
        save(folder / f"{number}.png", seed=number)
    load = library.load

    def load_until_stopped(listener: Listener, stop: Stop) -> object:
        if moment == "tower":
            stop.set()
            stop.check()
        return load(listener, stop)

    def at(progress: Progress) -> None:
        if progress.phase is Phase.INDEXING:
            stop.set()

    monkeypatch.setattr(library, "load", load_until_stopped)
    report = library.index(folder, listener=Heard(at), stop=stop)
    assert report.stopped
    assert len(library.contents()) == report.added == (0 if moment == "tower" else 5)
    monkeypatch.setattr(library, "load", load)
    again = library.index(folder)
    assert (again.stopped, again.added + again.unchanged) == (False, 5)
    library.check(folder)
    library.catalog.close()


def test_every_method_that_takes_long_ends_at_once_when_it_was_stopped_before(
    library: sigseek.Library, drawn: Path, stopped: Stop
) -> None:
    photos = sorted(drawn.glob("*.jpg"))
    captions = drawn / "captions.jsonl"
    methods: list[Callable[[], object]] = [
        lambda: library.embed_photos(photos, stop=stopped),
        lambda: library.embed_photos(photos[:1], stop=stopped),
        lambda: library.embed_texts(["a house"], stop=stopped),
        lambda: library.classify(photos, ["a house"], stop=stopped),
        lambda: library.calibrate(captions, stop=stopped),
        lambda: library.tag(["a house"], stop=stopped),
        lambda: library.search("a house", stop=stopped),
        lambda: library.search("format:jpeg", stop=stopped),
        lambda: library.similar(photos[0], stop=stopped),
        lambda: library.facets(stop=stopped),
        lambda: library.facets("a house", stop=stopped),
        lambda: library.duplicates(stop=stopped),
        lambda: library.duplicates("a house", stop=stopped),
        lambda: library.verify(stop=stopped),
        lambda: evaluate(library, captions, stop=stopped),
    ]
    for method in methods:
        with pytest.raises(sigseek.StoppedError):
            method()
    assert library.tags() == ()
    assert library.verify().sound
    assert len(library.search("a house")) == 4


def test_nothing_is_loaded_for_an_evaluation_after_a_stop(
    library: sigseek.Library, drawn: Path, stopped: Stop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def download(name: str, listener: Listener, stop: Stop) -> Checkpoint:
        stop.check()
        raise AssertionError("the download goes on")

    monkeypatch.setattr(checkpoint, "load_checkpoint", download)
    with sigseek.open(library.directory, model="mini") as again:
        for work in (
            lambda: evaluate(again, drawn / "captions.jsonl", stop=stopped),
            lambda: again.calibration(stop=stopped),
        ):
            with pytest.raises(sigseek.StoppedError):
                work()


def test_the_latencies_of_an_evaluation_are_measured_until_the_stop(
    library: sigseek.Library, drawn: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop = Stop()

    def measure_and_stop(*arguments: object, **options: object) -> object:
        stop.set()
        return measure(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(run, "measure", measure_and_stop)
    with pytest.raises(sigseek.StoppedError):
        evaluate(library, drawn / "captions.jsonl", stop=stop)


def test_a_run_that_waits_for_another_threads_run_is_stopped(
    library: sigseek.Library, stopped: Stop
) -> None:
    with library._opened.directory.writing(), ThreadPoolExecutor(1) as pool:
        report = pool.submit(lambda: library.index(stop=stopped)).result()
    assert (report.stopped, report.scanned) == (True, 0)


def test_nobody_waits_for_the_processes_of_other_questions_after_a_stop(
    library: sigseek.Library, drawn: Path, monkeypatch: pytest.MonkeyPatch, stopped: Stop
) -> None:
    files = library._opened.photo_files
    monkeypatch.setattr(files, "_decoding", threading.BoundedSemaphore(1))
    with files._decoding, pytest.raises(sigseek.StoppedError):
        library.embed_photos([drawn / "scene-00000.jpg"], stop=stopped)


def test_labels_that_were_done_before_the_stop_are_kept(library: sigseek.Library) -> None:
    heard, stop = stopping_at(Phase.TAGGING, 2)
    with pytest.raises(sigseek.StoppedError):
        library.tag(["a house", "a car", "a tree"], listener=heard, stop=stop)
    assert [count.label for count in library.tags()] == ["a car", "a house"]
    assert [progress.done for progress in heard.progress if progress.phase is Phase.TAGGING] == [
        0,
        1,
        2,
    ]


def test_files_are_checked_until_the_stop(library: sigseek.Library) -> None:
    heard, stop = stopping_at(Phase.CHECKING_FILES, 7)
    with pytest.raises(sigseek.StoppedError):
        library.verify(contents=True, listener=heard, stop=stop)
    assert (heard.progress[-1].phase, heard.progress[-1].done) == (Phase.CHECKING_FILES, 7)


def test_whoever_embeds_is_told_how_far_it_is_and_what_cannot_be_used(
    library: sigseek.Library, drawn: Path, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"no picture")
    heard = Heard()
    library.embed_photos([*sorted(drawn.glob("*.jpg"))[:2], bad], listener=heard)
    library.embed_texts(["a house"] * 65, listener=heard)
    told = [(progress.phase, progress.done, progress.total) for progress in heard.progress]
    assert told == [
        *((Phase.EMBEDDING, done, 3) for done in range(4)),
        (Phase.PREPARING, 0, None),
        (Phase.EMBEDDING_TEXTS, 0, 65),
        (Phase.EMBEDDING_TEXTS, 64, 65),
        (Phase.EMBEDDING_TEXTS, 65, 65),
    ]
    (problem,) = heard.problems
    assert (problem.path, problem.reason) == (str(bad), "not a picture, or its header is damaged")


def test_the_listener_of_open_is_told_where_a_call_has_none(tmp_path: Path, drawn: Path) -> None:
    of_open, of_call = Heard(), Heard()
    with sigseek.open(tmp_path / "library", model="mini", listener=of_open) as library:
        library.embed_texts(["a house"])
        library.embed_texts(["a house"], listener=of_call)
    assert len(of_open.progress) == 3
    assert len(of_call.progress) == 2, "the tower was loaded already"


@pytest.mark.parametrize(
    "ask",
    [
        lambda library, **told: library.search("a house", **told),
        lambda library, **told: library.facets("a house", **told),
        lambda library, **told: library.duplicates("a house", **told),
    ],
    ids=["search", "facets", "duplicates"],
)
def test_a_question_is_stopped_while_the_model_is_loaded(
    mini_library: Path, ask: Callable[..., object]
) -> None:
    with sigseek.open(mini_library) as library:
        heard, stop = stopping_at(Phase.PREPARING)
        with pytest.raises(sigseek.StoppedError):
            ask(library, listener=heard, stop=stop)
        assert [progress.phase for progress in heard.progress] == [Phase.PREPARING]
        assert len(library.search("a house")) == 4


def test_a_question_about_a_photo_is_stopped_while_it_is_embedded(
    mini_library: Path, tmp_path: Path
) -> None:
    save(tmp_path / "new.png", seed=1)
    with sigseek.open(mini_library) as library:
        heard, stop = stopping_at(Phase.EMBEDDING)
        with pytest.raises(sigseek.StoppedError):
            library.similar(tmp_path / "new.png", listener=heard, stop=stop)
        assert not library._opened.model._images.is_loaded
        assert len(library.similar(tmp_path / "new.png")) == 10


def test_a_search_is_stopped_while_the_index_catches_up(library: sigseek.Library) -> None:
    shutil.rmtree(library.directory / "index")
    heard, stop = stopping_at(Phase.INDEXING)
    with pytest.raises(sigseek.StoppedError):
        library.search("a house", listener=heard, stop=stop)
    assert not list((library.directory / "index").glob("*"))
    assert len(library.search("a house")) == 4
    assert list((library.directory / "index").glob("*"))


def test_a_search_is_stopped_while_photos_are_scored(
    library: sigseek.Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop, read = Stop(), 0
    asked = "a house AND NOT a giraffe"  # several terms are scored with the catalog's embeddings
    chunks = CatalogReader.embedding_chunks

    def one_by_one(
        reader: CatalogReader, checkpoint: int, ids: np.ndarray, *, dimension: int
    ) -> Iterator[object]:
        nonlocal read
        for id_ in ids:
            read += 1
            if read == 3:
                stop.set()
            yield from chunks(reader, checkpoint, np.array([id_]))

    assert len(library.search(asked, within="format:jpeg")) == 4
    monkeypatch.setattr(CatalogReader, "embedding_chunks", one_by_one)
    with pytest.raises(sigseek.StoppedError):
        library.search(asked, within="format:jpeg", stop=stop)
    assert read == 3, "of 40"
    assert len(library.search(asked, within="format:jpeg")) == 4, "only one search was stopped"


def test_a_closer_look_is_stopped_between_photos(
    library: sigseek.Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop, embedded = Stop(), []
    images = library._opened.model.images()

    def embed_and_stop(pixels: np.ndarray) -> np.ndarray:
        embedded.append(len(pixels))
        stop.set()
        return embed(pixels)

    embed = images.embed
    monkeypatch.setattr(images, "embed", embed_and_stop)
    with pytest.raises(sigseek.StoppedError):
        library.search("a house", closer=10, stop=stop)
    assert len(embedded) == 1


def test_nobody_waits_for_another_threads_searcher_after_a_stop(
    library: sigseek.Library, stopped: Stop
) -> None:
    searcher = library._opened.searcher
    with searcher._lock, pytest.raises(sigseek.StoppedError):
        searcher.get(stop=stopped)

"""The image tower of an indexing run, which lets questions go first."""

import threading
from pathlib import Path

import numpy as np
import numpy.typing as npt

import sigseek
from sigseek.operations.questions import Questions
from sigseek.operations.yielding_tower import YieldingImageTower
from sigseek.progress import Stop
from sigseek.siglip import ImageTower
from tests.indexed import save_photos
from tests.photos import save

FOR_EVER = 1e6
WAIT = 30.0


class Watched:
    """Embeds each picture as its first pixel, and remembers how many came at a time."""

    precision, device, runtime, batch = "fp32", "cpu", "torch", 32

    def __init__(self) -> None:
        self.parts: list[int] = []
        self.second = threading.Event()
        """Set when the second part comes."""

    def embed(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        self.parts.append(len(pixels))
        if len(self.parts) == 2:
            self.second.set()
        return pixels[:, 0, 0].astype(np.float32)


def pictures(count: int) -> npt.NDArray[np.uint8]:
    return np.random.default_rng(5).integers(0, 256, (count, 2, 2, 3), np.uint8)


def test_without_questions_a_batch_stays_whole() -> None:
    tower = Watched()
    yielding = YieldingImageTower(tower, Questions(), Stop())
    for count in (0, 1, 32):
        pixels = pictures(count)
        assert (yielding.embed(pixels) == pixels[:, 0, 0]).all()
    assert tower.parts == [0, 1, 32]


def test_a_batch_goes_on_in_parts_while_questions_never_end() -> None:
    questions, tower, pixels = Questions(), Watched(), pictures(7)
    with questions.one_more():
        embedded = YieldingImageTower(tower, questions, Stop()).embed(pixels)
    assert (embedded == pixels[:, 0, 0]).all()
    assert tower.parts == [2, 2, 2, 1]


def test_a_batch_waits_until_no_question_is_left() -> None:
    questions, tower, pixels = Questions(), Watched(), pictures(7)
    yielding = YieldingImageTower(tower, questions, Stop(), patience=FOR_EVER)
    thread = threading.Thread(target=yielding.embed, args=(pixels,))
    with questions.one_more(), questions.one_more():
        thread.start()
        assert not tower.second.wait(0.2)
    assert tower.second.wait(WAIT)
    thread.join(WAIT)
    assert tower.parts == [2, 2, 2, 1], "another question is likely to come"


def test_a_stopped_run_waits_for_no_question() -> None:
    questions, tower, pixels, stop = Questions(), Watched(), pictures(7), Stop()
    yielding = YieldingImageTower(tower, questions, stop, patience=FOR_EVER)
    thread = threading.Thread(target=yielding.embed, args=(pixels,))
    with questions.one_more():
        thread.start()
        assert not tower.second.wait(0.2)
        stop.set()
        thread.join(WAIT)
        assert not thread.is_alive()
    assert tower.parts == [2, 5]


def test_questions_to_a_library_are_counted_and_indexing_is_none(tmp_path: Path) -> None:
    counted: list[bool] = []
    with sigseek.open(tmp_path / "library", model="mini") as library:
        questions = library._opened.questions
        load = library._opened.model.images

        def load_and_look(*arguments: object, **named: object) -> ImageTower:
            counted.append(questions.are_left())
            return load(*arguments, **named)  # type: ignore[arg-type]

        library._opened.model.images = load_and_look  # type: ignore[method-assign]
        library.index(save_photos(tmp_path / "photos"))
        save(tmp_path / "unknown.png", seed=90)
        library.similar(tmp_path / "unknown.png")
        assert not questions.are_left()
    assert counted[0] is False
    assert True in counted

"""Lines and bars that commands print."""

from pathlib import Path

import pytest

from sigseek.cli.main import _bytes_or_marks
from sigseek.cli.output import bar, one_line, remedy_in_words
from sigseek.cli.problems import show_problems
from sigseek.cli.progress import Announcer, NotingProgress, RunProgress
from sigseek.errors import Call, Option, Remedy, SigseekError
from sigseek.progress import Phase, Problem, Progress
from tests.conftest import Run


@pytest.mark.parametrize(
    ("share", "drawn"),
    [
        (0.0, "          "),
        (0.5, "█████     "),
        (0.99, "█████████▉"),
        (1.0, "██████████"),
        (-1.0, "          "),
        (7.0, "██████████"),
        (0.0125, "▏         "),
    ],
)
def test_a_bar(share: float, drawn: str) -> None:
    assert bar(share) == drawn


def test_an_error_is_one_line_with_commands_as_they_are_typed() -> None:
    remedy = Remedy("make one with: {}, or use {}", (Call("index", ("FOLDER",)), Option("limit")))
    error = SigseekError("nothing\nis there", remedy)
    assert one_line(error) == "nothing is there; make one with: sigseek index FOLDER, or use -n"
    assert one_line(OSError(28, "No space left on device", "/a/b")) == (
        "/a/b: no space left on device; check the disk and its permissions"
    )


def test_options_that_take_several_values_are_repeated() -> None:
    remedy = Remedy("{}", (Call("forget", ("/home",), (("keep", ("/home/a b", "/home/c")),)),))
    assert remedy_in_words(remedy) == "sigseek forget /home --keep '/home/a b' --keep /home/c"
    assert str(remedy) == "library.forget('/home', keep=['/home/a b', '/home/c'])"


def test_five_problems_are_shown_and_the_others_counted(
    capsys: pytest.CaptureFixture[str],
) -> None:
    show_problems([Problem(f"/{number}", "torn\x1b") for number in range(1_007)])
    lines = capsys.readouterr().err.splitlines()
    assert lines[:2] == ["warning: /0: torn\\x1b", "warning: /1: torn\\x1b"]
    assert lines[5:] == ["warning: and 1,002 more"]


def test_an_announcer_prints_lines_alone(capsys: pytest.CaptureFixture[str]) -> None:
    announcer = Announcer()
    announcer.advanced(Progress(Phase.EMBEDDING, 1, 2))
    announcer.met(Problem("/a", "torn"))
    announcer.said("downloading 3 MB")
    announcer.said(Remedy("then: {}", (Call("index"),)))
    assert capsys.readouterr() == ("", "downloading 3 MB\nthen: sigseek index\n")


def test_a_bar_is_shown_for_each_phase_that_can_be_counted(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with RunProgress() as listener:
        for phase in (Phase.SCANNING, Phase.EMBEDDING, Phase.EMBEDDING_TEXTS):
            for done in range(3):
                listener.advanced(Progress(phase, done, None if phase is Phase.SCANNING else 2))
    said = capsys.readouterr().err
    assert "embedding: 100%" in said
    assert "embedding texts: 100%" in said
    assert "2/2" in said
    assert "scanning" not in said, "phases without a number are named on terminals only"


def test_failed_files_are_told_in_the_phase_that_takes_in_files(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with RunProgress() as listener:
        for phase in (Phase.EMBEDDING, Phase.MEASURING):
            for done in range(3):
                listener.advanced(Progress(phase, done, 2, failed=1))
    embedding, _, measuring = capsys.readouterr().err.partition("measuring")
    assert "1 failed" in embedding
    assert "100%" in measuring
    assert "failed" not in measuring


def test_few_items_show_no_bar_and_problems_are_kept(capsys: pytest.CaptureFixture[str]) -> None:
    with NotingProgress(least=3) as listener:
        listener.advanced(Progress(Phase.EMBEDDING, 0, 2))
        listener.met(Problem("/a", "torn"))
        listener.advanced(Progress(Phase.EMBEDDING, 2, 2))
    assert capsys.readouterr().err == ""
    assert listener.problems == [Problem("/a", "torn")]


def test_letters_that_the_encoding_of_the_output_lacks_are_replaced(
    run: Run, mini_library: Path
) -> None:
    """Windows encodes so what goes into a file or to another program."""
    here = ("--library", mini_library, "-n", "1")
    found = run("search", "a house", *here, PYTHONIOENCODING="cp1252")
    assert "  1.000  ??????????  " in found.stdout
    missing = run("search", "tag:\u57ce", *here, check=False, PYTHONIOENCODING="cp1252")
    assert "there is no tag '?'; " in missing.stderr
    # A path of any bytes stays as it is.
    error = UnicodeEncodeError("cp1252", "a\udcff\u57ceb", 1, 3, "")
    assert _bytes_or_marks(error) == (b"\xff?", 3)

"""What the installed program says of an answer, beside the hits."""

import re
from html import escape, unescape
from pathlib import Path

import pytest

from tests.conftest import Run

pytestmark = pytest.mark.both_databases(milvus=True)

LEGEND = (
    "The number is how likely a photo belongs to the answer: a match from 0.5 on, a maybe from 0.1 "
    "on; 40 photos searched; --all also lists the others; --explain tells what a number comes from"
)


@pytest.mark.sqlite_only("the page names the library by its address")
def test_a_page_says_what_the_command_says(mini_library: Path, tmp_path: Path, run: Run) -> None:
    asked = ("search", "a house and xqzvkj", "--library", mini_library, "--html", "page.html")
    for options in ([], ["--explain", "--all"]):
        done = run(*asked, *options)
        said = [line for line in done.stdout.splitlines() if not re.match(r" +(\d|0\.)", line)]
        said += [line.removeprefix("note: ") for line in done.stderr.splitlines()]
        said = [line for line in said if not line.startswith("written: ")]
        assert len([line for line in said if "vocabulary" in line or "searched as text" in line])
        page = (tmp_path / "page.html").read_text()
        on_page = re.findall(r'<p class="said(?: headline)?">(.*?)</p>', page)
        assert sorted(map(unescape, on_page)) == sorted(said)
    assert "comes from" in page
    run("search", "at night", "--library", mini_library, "--html", "page.html")
    assert escape(LEGEND) in (tmp_path / "page.html").read_text()


def test_a_page_is_not_written_to_the_standard_output(
    mini_library: Path, tmp_path: Path, run: Run
) -> None:
    done = run("search", "at night", "--library", mini_library, "--html", "-", check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "a page is written to a file; name one, such as hits.html." in done.stderr
    assert not (tmp_path / "-").exists()


def test_a_path_in_the_place_of_a_query(mini_library: Path, tmp_path: Path, run: Run) -> None:
    folder, photo = tmp_path / "my photos", tmp_path / "my photos" / "a.jpg"
    folder.mkdir()
    photo.touch()
    (tmp_path / "house").mkdir()
    (odd := tmp_path / "a\\b").mkdir()
    where = ("--library", mini_library)
    for typed, meant in (
        ([photo], f"to search for photos like this file: sigseek similar {{}} '{photo}'"),
        ([photo, folder], f"to search for photos like this file: sigseek similar {{}} '{photo}'"),
        ([folder], f"to search only in this folder: sigseek search {{}} 'in:\"{folder}\"'"),
        ([odd], f"to search only in this folder: sigseek search {{}} 'in:\"{tmp_path}/a\\\\b\"'"),
    ):
        first = run("search", *typed, *where, "--json").stderr.splitlines()[0]
        meant = meant.format(f"--library {mini_library}")
        assert first == f"note: '{typed[0]}' was searched as text; {meant}"
    long = "A dog. " + 300 * "x"  # no file can have such a name, and asking for it is an error
    for words in (["house"], [photo, "house"], ["photo:1"], [long]):
        assert "this" not in run("search", *words, *where, "--json").stderr


def test_what_is_said_stays_out_of_the_way_of_programs(mini_library: Path, run: Run) -> None:
    where = ("--library", mini_library)
    table = run("search", "at night", *where)
    assert table.stderr.splitlines()[-1] == LEGEND
    _, *hits = table.stdout.splitlines()
    assert len(hits) == 10
    for form in ("--json", "--paths", "--print0"):
        done = run("search", "at night", *where, form, "--all")
        assert LEGEND not in done.stderr
        said = [line for line in done.stderr.splitlines() if not line.startswith("for the next")]
        assert said[-1].startswith("12 photos match; ")
        assert "photos match" not in done.stdout
    similar = run("similar", hits[0].split("  ")[-1], *where)
    assert similar.stderr.splitlines()[-1].endswith("no probability: 1 is the same picture")


def test_explain_tells_what_decided(mini_library: Path, run: Run) -> None:
    where = ("--library", mini_library, "--explain", "-n", "1")
    _, term, hit, number = run("search", "at night", *where).stdout.splitlines()
    assert re.fullmatch(
        r"at night: certainty [01]\.\d\d that your photos show it; a photo's number for it comes "
        "from its score, by the checkpoint's calibration",
        term,
    )
    parts = re.fullmatch(
        r" +([01]\.\d\d) = ([01]\.\d\d) that your photos show it x ([01]\.\d\d) that this one "
        "does",
        number,
    )
    assert parts is not None
    whole, confidence, own = map(float, parts.groups())
    assert whole == pytest.approx(confidence * own, abs=0.01)
    assert f"  {whole:.2f}" in hit
    both = run("search", "at night AND sdfsdflksdfj", *where, "--all").stdout.splitlines()
    assert [line.split(":")[0] for line in both[1:4]] == [
        "at night",
        "sdfsdflksdfj",
        "the whole query",
    ]
    assert both[5].endswith("(held back by sdfsdflksdfj)")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            ["--closer", "0"],
            "note: --closer 0 does nothing; name how many photos to score again",
        ),
        (["--explain", "--paths"], "note: --explain does nothing where only paths are printed"),
        (
            ["--min-probability", "0.3"],
            "note: --min-probability lists nothing more: photos below 0.5 are listed only with "
            "--all",
        ),
    ],
)
def test_options_that_do_nothing_say_so(
    mini_library: Path, run: Run, options: list[str], said: str
) -> None:
    where = ("search", "at night", "--library", mini_library)
    assert said in run(*where, *options).stderr.splitlines()
    usual = run(*where, "--closer", "1", "--explain", "--min-probability", "0.6").stderr
    assert "nothing" not in usual
    assert "nothing" not in run(*where, "--all", "--min-probability", "0.3").stderr

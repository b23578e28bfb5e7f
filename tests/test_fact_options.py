"""Facts of queries from the command line and from Python, over a library of real files."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import sigseek
from sigseek.cli.fact_options import FACTS
from sigseek.search.tokens import TERMS
from tests.conftest import Run
from tests.databases import Databases
from tests.photos import exif, save

pytestmark = pytest.mark.both_databases(milvus=True)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six pictures of three directories, most of them with a date and a camera."""
    folder = tmp_path_factory.mktemp("photos")
    canon = {"Make": "Canon", "Model": "Canon EOS 7D"}
    for number, (name, tags) in enumerate(
        {
            "2019/Rome/a.jpg": canon | {"DateTimeOriginal": "2019:04:01 10:00:00"},
            "2019/Rome/b.jpg": canon | {"DateTimeOriginal": "2019:04:02 23:59:59"},
            "2019/c.jpg": {
                "Make": "Canon",
                "Model": "Canon EOS 7D Mark II",
                "DateTimeOriginal": "2019:12:31 23:50:00",
                "OffsetTimeOriginal": "+13:00",
            },
            "2020/Rome/d.jpg": {"DateTimeOriginal": "2020:02:29 12:00:00"},
            "2020/e.jpg": {"Make": "Nikon", "Model": "D90"},
            "2020/f.jpg": {},
        }.items()
    ):
        save(folder / name, seed=number, exif=exif(**tags), quality=90)
    return folder


@pytest.fixture(scope="module")
def library(photos: Path, tmp_path_factory: pytest.TempPathFactory, databases: Databases) -> Path:
    directory = tmp_path_factory.mktemp("facts") / "library"
    with sigseek.open(directory, model="mini") as library:
        library.index(photos)
    return directory


def names(found: sigseek.SearchResults) -> str:
    return "".join(sorted(Path(hit.path).stem for hit in found))


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("date:2019", "abc"),
        ("date:2019-04", "ab"),
        ("date:2019-04-02T23", "b"),
        ("date:2019-12-31", "c"),
        ("since:2019-12", "cd"),
        ("until:2019-04-01", "a"),
        ("date:2019-04-02..2020-02-29", "bcd"),
        ("is:undated", "ef"),
        ("NOT is:undated", "abcd"),
        ('camera:"EOS 7D"', "ab"),
        ("camera:canon", "abc"),
        ("camera:*7D*", "abc"),
        ("camera:D90 OR date:2020", "de"),
        ("in:2019/Rome", "ab"),
        ("in:2020", "def"),
        ("camera:Canon EOS 7D", "ab"),
        ("in:2019 (camera:eos 7d OR date:2020)", "ab"),
        ("in:2019 NOT in:2019/Rome", "c"),
        ("width:64 height:<=48 format:jpg", "abcdef"),
        ("is:portrait", ""),
        ("is:landscape (date:2020 OR camera:Nikon)", "de"),
    ],
)
def test_facts_alone(library: Path, query: str, expected: str) -> None:
    with sigseek.open(library, model="no model is needed") as opened:
        found = opened.search(query)
        assert names(found) == expected
        assert (found.matches, found.photos) == (len(expected), len(expected))
        assert names(opened.search("", within=query)) == expected


def test_a_text_within_facts(library: Path) -> None:
    with sigseek.open(library) as opened:
        found = opened.search("a red tram date:2019", include_all=True)
        assert names(found) == "abc"
        assert found.photos == 3
        assert found.selection == 'date:"2019"'
        everything = {hit.id: hit for hit in opened.search("a red tram", include_all=True)}
        assert len(everything) == 6
        for hit in found:
            assert hit.probability == pytest.approx(everything[hit.id].probability)
            assert hit.cosine == pytest.approx(everything[hit.id].cosine)
        within = opened.search("a red tram", within="date:2019 camera:canon", include_all=True)
        assert [hit.id for hit in within] == [hit.id for hit in found]
        assert within.selection == 'date:"2019" AND camera:"canon"'
        closer = opened.search("a red tram date:2019", include_all=True, closer=2)
        assert sum(hit.closer is not None for hit in closer) == 2


def test_facts_alone_have_an_order_and_pages(library: Path) -> None:
    with sigseek.open(library, model="no model is needed") as opened:
        newest = opened.search("camera:*", 2, sort="-date")
        assert [Path(hit.path).stem for hit in newest] == ["c", "b"]
        left = opened.search("camera:*", 9, sort="-date", page=newest.next_page)
        assert [Path(hit.path).stem for hit in left] == ["a", "e"]
        assert [hit.rank for hit in left] == [3, 4]
        assert (left.offset, left.next_page, left.matches) == (2, None, 4)
        assert [hit.id for hit in opened.search("camera:*", 9, sort="-date", offset=2)] == [
            hit.id for hit in left
        ]


def test_within_takes_facts_alone(library: Path) -> None:
    with sigseek.open(library) as opened:
        with pytest.raises(sigseek.QueryError, match="'a dog' asks for more than facts"):
            opened.search("a cat", within="a dog")
        with pytest.raises(sigseek.QuerySyntaxError, match="the query is empty"):
            opened.search(" ", within=" ")


def test_arguments_that_facts_alone_do_not_need_are_told(library: Path, run: Run) -> None:
    idle = " does nothing, because the query has facts alone, and these are certain"
    with sigseek.open(library) as opened:
        found = opened.search("date:2019", min_probability=0.9, include_self=True, closer=3)
        assert [str(note) for note in found.notes] == [
            f"min_probability{idle}", f"include_self=True{idle}", f"closer{idle}",
        ]  # fmt: skip
        assert names(found) == "abc"
        assert opened.search("date:2019", explain=True, offset=1).notes == ()
    told = run("search", "date:2019", "--all", "--closer", 3, "--library", library).stderr
    assert told.splitlines()[:2] == [f"note: --all{idle}", f"note: --closer{idle}"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"within": 3}, "3 is not a text; within must be a text"),
        ({"within": None}, "None is not a text; within must be a text"),
        ({"query": ["a dog"]}, "['a dog'] is not a text; query must be a text"),
        ({"offset": "a"}, "'a' is not a whole number; offset must be a whole number"),
        ({"offset": 1.5}, "1.5 is not a whole number; offset must be a whole number"),
        ({"limit": "a"}, "'a' is not a whole number; limit must be a whole number"),
        ({"closer": None}, "None is not a whole number; closer must be a whole number"),
        ({"min_probability": "0.5"}, "'0.5' is not a number; min_probability must be a number"),
        ({"page": 3}, "3 is not a text; page must be a text"),
        ({"sort": 3}, "3 is not a text; sort must be a text"),
    ],
)
def test_arguments_of_other_types_are_refused(
    library: Path, arguments: dict[str, object], said: str
) -> None:
    with sigseek.open(library) as opened, pytest.raises(sigseek.QueryError) as caught:
        opened.search(**({"query": "date:2019"} | arguments))  # type: ignore[arg-type]
    assert str(caught.value) == said


def test_facets_of_other_types_are_refused(library: Path) -> None:
    with sigseek.open(library) as opened, pytest.raises(sigseek.QueryError, match="within must"):
        opened.facets(within=3)  # type: ignore[arg-type]


def test_options_are_joined_to_the_query(library: Path, run: Run) -> None:
    def listed(*arguments: str) -> str:
        done = run("search", *arguments, "--library", library, "--json")
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        return "".join(sorted(Path(line["path"]).stem for line in lines))

    assert listed("--date", "2019", "--in", "2019/Rome") == "ab"
    assert listed("--since", "2019-12", "--until", "2019") == "c"
    assert listed("date:2019", "OR", "date:2020", "--camera", "Canon") == "abc"
    assert listed("--is", "undated", "--camera=*") == "e"
    assert listed("a red tram", "--camera", "EOS 7D", "--all") == "ab"


def test_what_the_command_says(library: Path, photos: Path, run: Run) -> None:
    def said(*arguments: str) -> tuple[int, str, str]:
        done = run("search", *arguments, "--library", library, check=False)
        return done.returncode, done.stdout, done.stderr

    code, out, _ = said("--camera", "EOS 7D")
    assert (code, out.splitlines()[0]) == (0, "2 photos match")
    code, out, err = said("a", "tram", "--date", "2021")
    assert (code, out) == (0, 'No photo in the selection: date:"2021"\n')
    code, out, err = said("--camera", "EOS 8D")
    assert (code, out) == (1, "")
    assert err.startswith("error: column 8: no photo has the camera 'EOS 8D'; the nearest names")
    assert err.endswith('camera:"EOS 8D"\n       ^\n')
    code, _, err = said("a dog date:2019-13")
    assert code == 1
    assert err.endswith("a dog date:2019-13\n           ^\n")
    code, _, err = said("--in", "Rome")
    assert code == 1
    assert f"'Rome' is the end of 2 directories; write more of its path: {photos}/2019/Rome" in err
    code, _, err = said("--date", "")
    assert code == 2
    assert "the value is empty; is a shell variable not set?" in err
    code, _, err = said()
    assert code == 2
    assert "Missing argument 'QUERY...'" in err


def test_facts_alone_load_no_model_and_no_index(library: Path, databases: Databases) -> None:
    code = (
        "import sys, sigseek\n"
        f"found = sigseek.open({databases.address(library)!r}).search('date:2019')\n"
        "heavy = {'torch', 'openvino', 'faiss', 'tokenizers', 'numpy'} & set(sys.modules)\n"
        "print(len(found), sorted(heavy))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "3 []\n"


def test_every_fact_is_an_option() -> None:
    assert {*FACTS, "photo"} == set(TERMS)

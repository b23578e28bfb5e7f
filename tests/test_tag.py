"""Tags from the command line and from Python, on drawn photos of which is known what they show."""

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import sigseek
from sigseek import Label, TagCount
from sigseek.progress import Phase, Progress, Silence
from sigseek.search.calibration import Calibration
from sigseek.storage import Catalog
from tests.catalogs import add_checkpoint, add_photos, open_searcher, unit
from tests.checkpoints import copy_mini
from tests.conftest import Run, Start
from tests.databases import Databases
from tests.photos import save

pytestmark = pytest.mark.both_databases(milvus=True)

TIMES = ("at dawn", "at noon", "at sunset", "at night")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, drawn: Path, databases: Databases) -> Path:
    """A library of the drawn photos and mini."""
    directory = tmp_path_factory.mktemp("made")
    with sigseek.open(directory, model="mini") as library:
        library.index(drawn)
    return directory


@pytest.fixture
def library(made: Path, tmp_path: Path, databases: Databases) -> Path:
    """A copy of that library, to tag."""
    return databases.copy(made, tmp_path / "library")


@pytest.fixture
def times(drawn: Path) -> dict[str, set[str]]:
    """The names of the drawn photos, by the time they show."""
    captions = [json.loads(line) for line in (drawn / "captions.jsonl").read_text().splitlines()]
    return {time_: {row["file"] for row in captions if row["time"] == time_} for time_ in TIMES}


def rows(done: "subprocess.CompletedProcess[str]") -> list[dict[str, object]]:
    return [json.loads(line) for line in done.stdout.splitlines()]


def names(done: "subprocess.CompletedProcess[str]") -> set[str]:
    return {Path(line).name for line in done.stdout.splitlines()}


def test_tags_tell_what_was_drawn(
    library: Path, tmp_path: Path, times: dict[str, set[str]], run: Run
) -> None:
    (tmp_path / "labels.txt").write_text(
        "# times\nnight = at night\nnoon = at noon\n\nnight = at night\n"
    )
    where = ("--library", library)
    counts = rows(
        run(
            "tag",
            "--labels-file",
            tmp_path / "labels.txt",
            "--label",
            "nothing = a submarine",
            *where,
            "--json",
        )
    )
    assert [count["label"] for count in counts] == ["nothing", "night", "noon"]
    assert counts[0]["photos"] == 0
    for name, count in zip(("night", "noon"), counts[1:], strict=True):
        found = names(run("search", f"tag:{name}", "-n", 40, "--paths", *where))
        right = times[f"at {name}"]
        assert len(found) == count["photos"]
        assert len(found & right) / len(found) >= 0.95, f"precision of {name}"
        assert len(found & right) / len(right) >= 0.9, f"recall of {name}"
    assert rows(run("tag", "--list", *where, "--json")) == [*counts[1:], counts[0]]
    assert names(run("search", "tag:nothing", "--paths", *where)) == set()
    left = names(run("search", "NOT tag:nothing", "-n", 100, "--paths", *where))
    assert len(left) == sum(map(len, times.values()))


def test_a_tag_among_other_terms(library: Path, times: dict[str, set[str]], run: Run) -> None:
    with sigseek.open(library) as opened:
        opened.tag([Label("night", "at night")])
        tagged, houses, both, rest, others = (
            {Path(hit.path).name for hit in opened.search(query, 40)}
            for query in (
                "tag:night",
                "a house",
                "tag:night AND a house",
                "a house NOT tag:night",
                "NOT tag:night",
            )
        )
    assert houses & tagged, "else this shows nothing"
    assert houses - tagged
    assert houses & tagged <= both <= tagged
    assert not rest & tagged
    assert others == {name for found in times.values() for name in found} - tagged
    assert (
        names(run("search", "tag:night AND a house", "-n", 40, "--paths", "--library", library))
        == both
    )


def test_tagging_again_replaces_the_same_label_only(library: Path) -> None:
    with sigseek.open(library) as opened:

        def tagged(name: str) -> set[str]:
            return {hit.path for hit in opened.search(f"tag:{name}", 40)}

        opened.tag([Label("a", "at night"), Label("b", "at noon")])
        noon = tagged("b")
        assert not tagged("a") & noon
        opened.tag([Label("a", "at noon")])
        assert tagged("a") == tagged("b") == noon
        opened.tag([Label("a", "a submarine")])
        assert [(tag.label, tag.photos > 0) for tag in opened.tags()] == [("a", False), ("b", True)]
        assert tagged("a") == set()


def test_what_is_printed(library: Path, run: Run) -> None:
    where = ("--library", library)
    assert run("tag", "--list", *where).stdout == "no tags\n"
    assert run("tag", "--list", "--json", *where).stdout == ""
    (night, nothing) = (
        row["photos"]
        for row in rows(run("tag", "--label", "night", "--label", "submarine", "--json", *where))
    )
    assert nothing == 0
    printed = f"night      {night} photos\nsubmarine  0 photos\n"
    assert run("tag", "--label", "night", "--label", "submarine", *where).stdout == printed
    assert run("tag", "--list", *where).stdout == printed
    assert run("tag", "--remove", "night", *where).stdout == f"night  {night} photos removed\n"
    run("tag", "--remove", "submarine", *where)
    assert run("tag", "--list", *where).stdout == "no tags\n"
    bar = run("tag", *(f"--label=a {n}" for n in range(10)), *where).stderr
    assert "10/10" in bar


def test_a_tag_that_is_not_there(library: Path, run: Run) -> None:
    where = ("--library", library)
    removing, searching = ("tag", "--remove", "x"), ("search", "a house AND tag:x")
    place, caret = "column 17: ", "a house AND tag:x\n                ^\n"
    advice = f"make tags with: sigseek tag --library {library} --labels-file FILE"
    for command, column, under in ((removing, "", ""), (searching, place, caret)):
        done = run(*command, *where, check=False)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == f"error: {column}there is no tag 'x'; {advice}\n{under}"
    run("tag", "--label", "night", "--label", "the noon = at noon", *where)
    for command, column, under in ((removing, "", ""), (searching, place, caret)):
        assert (
            run(*command, *where, check=False).stderr
            == f"error: {column}there is no tag 'x'; existing tags: night, the noon\n{under}"
        )


def test_the_uncalibrated_are_told(drawn: Path, tmp_path: Path, run: Run) -> None:
    checkpoint = copy_mini(tmp_path / "mini")
    (checkpoint / "calibration.json").unlink(missing_ok=True)
    where = ("--library", tmp_path / "new")
    for _ in range(2):  # the second run makes what the first one may leave of the yardstick
        run("index", drawn, *where, "--model", checkpoint)
    (line,) = run("tag", "--label", "night", *where).stderr.splitlines()
    assert line.startswith("The checkpoint is not calibrated")
    assert line.endswith(f": sigseek calibrate --library {tmp_path / 'new'} CAPTIONS.jsonl")
    catalog = Catalog(tmp_path / "new")
    fitted = Calibration(1.0, 0.0, 1.0, 0.0, 100.0, pictures=1, captions=1)
    with catalog.transaction() as transaction:
        transaction.put_calibration(catalog.checkpoints()[0].id, fitted.as_json())
    catalog.close()
    done = run("tag", "--label", "night", *where, "--json")
    assert done.stderr == ""
    assert rows(done)[0]["photos"] > 0  # type: ignore[operator]


def test_a_photo_that_goes_takes_its_tags_along_and_one_that_comes_has_none(
    tmp_path: Path, drawn: Path
) -> None:
    photos = tmp_path / "photos"
    shutil.copytree(drawn, photos)
    with sigseek.open(tmp_path / "new", model="mini") as library:
        library.index(photos)
        (before,) = library.tag([Label("night", "at night")])
        gone, other = (hit.path for hit in library.search("tag:night", limit=2))
        save(Path(gone))
        shutil.copy(other, photos / "the same.jpg")
        with Image.open(other) as picture:
            picture.save(other, quality=60)  # the same to the eye, but another picture
        library.index()
        assert library.tags() == (TagCount("night", before.photos - 1),), (
            "the copy bears its photo's"
        )
        assert not {gone, other} & {hit.path for hit in library.search("tag:night", limit=50)}
        assert library.tag([Label("night", "at night")]) == (before,)


def test_from_python(library: Path) -> None:
    with sigseek.open(library) as opened:
        seen: list[tuple[int, int | None]] = []

        class Noting(Silence):
            def advanced(self, progress: Progress) -> None:
                if progress.phase is Phase.TAGGING:
                    seen.append((progress.done, progress.total))

        counts = opened.tag(["night", Label("noon", "at noon"), "night"], "{}", listener=Noting())
        assert [count.label for count in counts] == ["night", "noon"]
        assert seen == [(0, 2), (1, 2), (2, 2)]
        assert opened.tags() == counts
        assert opened.remove_tag("night") == counts[0]
        assert opened.tags() == counts[1:]
        with pytest.raises(
            sigseek.QueryError, match="there is no tag 'night'; existing tags: noon"
        ):
            opened.remove_tag("night")
        for labels, template in (([], "{}"), ([" "], "{}"), (["a"], "a")):
            with pytest.raises(sigseek.QueryError):
                opened.tag(labels, template)
        with pytest.warns(
            UserWarning, match="the label 'long' has 200 words and the model reads 64 tokens"
        ) as warned:
            opened.tag([Label("long", "house " * 200)])
        assert warned[0].filename == __file__, "where the library was called"


def test_known_photos_match(tmp_path: Path) -> None:
    """Logits are 109.9 x cosine - 12.9: half is at a cosine of 0.1174. Groups of labels are read
    one after the other.
    """
    catalog = Catalog(tmp_path / "library")
    checkpoint = add_checkpoint(catalog, 2)
    angles = np.arccos([0.1, 0.11, 0.13, 0.5])
    ids = add_photos(
        catalog,
        checkpoint,
        unit(np.stack([np.cos(angles), np.sin(angles)], 1)),
        tmp_path,
        ["a", "b", "c", "d"],
    )
    with pytest.MonkeyPatch.context() as patch:
        for most in (1, 8, 100):
            patch.setattr("sigseek.search.searcher._MOST_COSINES", most)
            found = list(
                open_searcher(catalog, tmp_path / "index").matching(unit([[1, 0], [0, 1], [-1, 0]]))
            )
            assert [matching.tolist() for matching, _ in found] == [ids[2:], ids, []]
            np.testing.assert_allclose(
                found[0][1], 1 / (1 + np.exp(12.9 - np.exp(4.7) * np.array([0.13, 0.5]))), atol=0.01
            )
    catalog.close()


def test_a_long_list_of_tags_is_cut(library: Path) -> None:
    catalog = Catalog(library)
    with catalog.transaction() as transaction:
        for number in range(25):
            transaction.put_tag(
                f"t{number:02}", 1, catalog.embedded_ids(1)[:1], np.ones(1, np.float32)
            )
    catalog.close()
    with (
        sigseek.open(library) as opened,
        pytest.raises(sigseek.QueryError, match=r"t18, t19 and 5 more; see: library.tags\(\)$"),
    ):
        opened.search("tag:x")


def test_another_writer(library: Path, run: Run, databases: Databases) -> None:
    with databases.lock(library):
        for command in (("--label", "night"), ("--remove", "night")):
            done = run("tag", *command, "--library", library, check=False)
            assert (done.returncode, done.stdout) == (1, "")
            assert f"process {os.getpid()} on " in done.stderr
        assert run("tag", "--list", "--library", library).stdout == "no tags\n", "a reader may"


def test_ctrl_c_keeps_the_tags_that_are_done(
    library: Path, tmp_path: Path, databases: Databases, start: Start
) -> None:
    labels = [f"--label=l{number} = at night" for number in range(500)]
    output, errors = tmp_path / "output", tmp_path / "errors"
    catalog = Catalog(library)
    where = ("--library", databases.address(library))
    tagging = start("tag", *labels, *where, output=output, errors=errors)
    deadline = time.monotonic() + 120
    while not catalog.tags() and time.monotonic() < deadline:
        time.sleep(0.01)
    tagging.send_signal(signal.SIGINT)
    assert (tagging.wait(60), output.read_text()) == (130, "")
    stderr = errors.read_text(encoding="utf-8")
    assert "Traceback" not in stderr
    assert stderr.splitlines()[-1].startswith("interrupted; what was finished is kept")
    kept = catalog.tags()
    catalog.close()
    assert 0 < len(kept) < 500
    assert len(set(kept.values())) == 1, "wholly or not at all"

"""The program as a person runs it: the installed command, its output, its exit status."""

import json
import math
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import click
import pytest

from sigseek import __version__
from sigseek.cli.main import COMMANDS, cli
from sigseek.storage import Catalog
from tests.conftest import ROOT, Run, Start
from tests.photos import save

JUDGEMENT = {"probability", "verdict", "confidence", "judged_by"}
METADATA = {
    "id", "width", "height", "damaged", "taken_at", "date_source", "camera", "latitude",
    "longitude", "city", "region", "country", "place_source", "lens", "title", "people",
    "rating", "description", "keywords", "tags", "copies", "available",
}  # fmt: skip


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory, drawn: Path) -> Path:
    """The drawn photos, indexed with mini."""
    import sigseek

    directory = tmp_path_factory.mktemp("library")
    with sigseek.open(directory, model="mini") as opened:
        opened.index(drawn)
    return directory


def rows(done: "subprocess.CompletedProcess[str]") -> list[dict[str, object]]:
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_index_then_search_then_index_again(tmp_path: Path, drawn: Path, run: Run) -> None:
    where = ("--library", tmp_path / "library")
    done = run("index", drawn, *where, "--model", "mini", "--json")
    (report,) = rows(done)
    assert list(report) == [
        "scanned", "added", "changed", "moved", "unchanged", "by_others", "missing", "offline",
        "excluded", "excluded_photos", "excluded_tagged", "skipped", "emptied", "failed",
        "unreadable_directories", "seconds", "images_per_second", "device", "runtime",
        "precision", "batch", "threads", "model", "metadata_read", "hashed", "untagged",
        "provisional", "stopped",
    ]  # fmt: skip
    assert (report["scanned"], report["added"], report["failed"], report["model"]) == (
        40,
        40,
        0,
        "mini",
    )
    assert re.search(r"40/40 \[.*(images/s|s/ images)", done.stderr), "count, time and rate"
    hits = rows(run("search", "a photo of a house", *where, "--json", "-n", "3"))
    assert len(hits) == 3
    assert set(hits[0]) == {"rank", "path", "score", "logit", "cosine"} | JUDGEMENT | METADATA
    assert hits[0]["camera"] == "sigseek demo"
    assert (hits[0]["width"], hits[0]["height"]) == (1600, 1200)
    (report,) = rows(run("index", *where, "--json"))
    assert (report["scanned"], report["unchanged"], report["images_per_second"]) == (40, 40, 0)


def test_the_library_remembers_its_checkpoint_and_comes_from_the_environment(
    library: Path, run: Run
) -> None:
    (status,) = rows(run("status", "--json", SIGSEEK_LIBRARY=str(library)))
    assert [checkpoint["model"] for checkpoint in status["checkpoints"]] == ["mini"]  # type: ignore[attr-defined]
    assert (status["photos"], status["failures"], status["library"]) == (40, 0, str(library))


def test_search_finds_what_was_drawn(library: Path, drawn: Path, run: Run) -> None:
    captions = {
        row["file"]: row
        for row in map(json.loads, (drawn / "captions.jsonl").read_text().splitlines())
    }
    hits = rows(run("search", "at night", "--library", library, "--json", "-n", "5"))
    assert [captions[Path(str(hit["path"])).name]["time"] for hit in hits] == ["at night"] * 5
    assert [hit["rank"] for hit in hits] == [1, 2, 3, 4, 5]
    scores = [hit["score"] for hit in hits]
    assert scores == sorted(scores, reverse=True)  # type: ignore[type-var]


def test_several_words_need_no_quotation_marks(library: Path, run: Run) -> None:
    quoted = run("search", "at night", "--library", library, "--json", "-n", "5")
    apart = run("search", "at", "night", "--library", library, "--json", "-n", "5")
    between = run("search", "--json", "at", "-n", "5", "night", "--library", library)
    assert rows(quoted) == rows(apart) == rows(between)
    terms = rows(run("search", "a house", "OR", "dog", "--library", library, "--json", "--explain"))
    assert terms[0]["terms"].keys() == {"a house", "dog"}  # type: ignore[attr-defined]


def test_words_that_the_checkpoint_does_not_know_are_told(library: Path, run: Run) -> None:
    for query in ("собака", "красный дом", "🐶"):
        assert run("search", query, "--library", library, "--json").stderr.splitlines()[0] == (
            f"note: mini does not know most of '{query}', so these hits mean little; "
            "google/siglip2-base-patch16-224 and google/siglip-base-patch16-256-multilingual know "
            f"many languages, for example: sigseek index --library {library} "
            "--model google/siglip2-base-patch16-224"
        )
    assert "does not know" not in run("search", "a dog", "--library", library).stderr


def test_operators_of_other_programs_are_searched_as_text_and_told(library: Path, run: Run) -> None:
    where = ("--library", library, "--json")
    text = run("search", "a house -tree", *where, "--explain", "--all")
    assert text.stderr.splitlines()[0] == (
        "note: '-tree' was searched as text; you may have meant: "
        f"sigseek search --library {library} 'a house NOT tree'"
    )
    assert rows(text)[0]["terms"].keys() == {"a house -tree"}  # type: ignore[attr-defined]
    assert "searched as text" not in run("search", '"a house -tree"', *where).stderr


def test_forms_of_output(library: Path, tmp_path: Path, run: Run) -> None:
    where = ("--library", library, "-n", "2")
    best = rows(run("search", "at night", *where, "--json", "--explain"))
    assert best[0]["terms"] == {"at night": best[0]["probability"]}
    assert run("search", "at night", *where, "--paths").stdout.splitlines() == [
        hit["path"] for hit in best
    ]
    paths = "".join(f"{hit['path']}\0" for hit in best)
    assert run("search", "at night", *where, "--print0").stdout == paths
    assert run("search", "at night", *where, "--print0", "--paths").stdout == paths
    expected, *table = run(
        "search", "at night", *where, "--html", tmp_path / "page.html"
    ).stdout.splitlines()
    assert expected == "12 photos match, the best 2 shown (-n 20 for more)", "as many as drawn"
    assert len(table) == 2
    assert str(best[0]["path"]) in table[0]
    assert f"{best[0]['probability']:.3f}" in table[0]
    page = (tmp_path / "page.html").read_text()
    assert page.count("data:image/jpeg;base64,") == 2
    done = run("search", "a house", *where, "--all", "-n", "40", "--html", "all.html")
    assert done.stderr.splitlines()[-1] == f"written: {tmp_path / 'all.html'}", "absolute"
    assert "○ no match</span>" in (tmp_path / "all.html").read_text()
    assert "http" not in page.replace("http-equiv", ""), "opens offline"


def recipe(run: Run, command: str) -> str:
    """Return the line of a command's help that pipes its output into another program."""
    (line,) = [line for line in run(command, "--help").stdout.splitlines() if " | " in line]
    return line.strip()


def test_the_recipes_of_the_help_work(
    library: Path, drawn: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Run
) -> None:
    """In any POSIX shell with find's and xargs' -print0 and -0, also where nothing is found."""
    (tmp_path / "night").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SIGSEEK_LIBRARY", str(library))
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    monkeypatch.chdir(tmp_path)
    searched = recipe(run, "search")
    assert searched == ("sigseek search at night -n 1000 --print0 | xargs -0 -I{} cp {} ~/night/")
    subprocess.run(["sh", "-c", searched], check=True)
    captions = map(json.loads, (drawn / "captions.jsonl").read_text().splitlines())
    night = {row["file"] for row in captions if row["time"] == "at night"}
    assert {path.name for path in (tmp_path / "night").iterdir()} == night
    nothing = searched.replace("at night", "sdfsdflksdfj")
    assert subprocess.run(["sh", "-c", nothing], check=True, capture_output=True).stdout == b""
    failed = recipe(run, "failures")
    assert failed == "sigseek failures --print0 | xargs -0 -I{} ls -l {}"
    assert subprocess.run(["sh", "-c", failed], check=True, capture_output=True).stdout == b""


def test_nothing_matches(library: Path, tmp_path: Path, run: Run) -> None:
    where = ("--library", library)
    table = run("search", "sdfsdflksdfj", *where)
    assert re.fullmatch(
        r"No photo matches; the closest is .*scene-\d{5}\.jpg \(0\.\d\d\)\n", table.stdout
    )
    assert re.search(
        r"^Why: as far as can be told, your photos show nothing of it \(certainty 0\.\d\d\); "
        "40 photos searched$",
        table.stderr,
        re.MULTILINE,
    )
    for form in ("--json", "--paths"):
        done = run("search", "sdfsdflksdfj", *where, form)
        assert (done.stdout, done.stderr.splitlines()[-1] + "\n") == ("", table.stdout)
    page = tmp_path / "page.html"
    run("search", "sdfsdflksdfj", *where, "--html", page)
    shown = page.read_text()
    assert shown.count("data:image/jpeg;base64,") == 1, "the closest photo"
    assert "The closest photo" in shown
    said, *tail = run("search", "sdfsdflksdfj", *where, "--all", "-n", "5").stdout.splitlines()
    assert said == table.stdout.strip() + "; the best 5 of 40 photos listed (-n 50 for more)"
    assert [line.split("  ")[-1] for line in tail] == ["no match"] * 5


def test_all_shows_matches_then_maybes_then_the_rest(library: Path, run: Run) -> None:
    hits = rows(run("search", "a house", "--library", library, "--all", "--json", "-n", "40"))
    verdicts = [("match", "maybe", "no match").index(str(hit["verdict"])) for hit in hits]
    assert len(hits) == 40
    assert verdicts == sorted(verdicts)
    matches = rows(run("search", "a house", "--library", library, "--json", "-n", "40"))
    assert matches == hits[: verdicts.count(0)]
    assert 0 < len(matches) < 40


def test_too_few_photos_to_judge_by(library: Path, run: Run) -> None:
    done = run("search", "at night", "--library", library)
    assert 'note: with only 40 photos, "match" and "no match" are less reliable\n' in done.stderr


def test_operators_find_what_was_drawn(library: Path, drawn: Path, run: Run) -> None:
    captions = {
        row["file"]: row
        for row in map(json.loads, (drawn / "captions.jsonl").read_text().splitlines())
    }

    def found(query: str, *options: str) -> set[str]:
        done = run("search", query, *options, "--library", library, "--json", "-n", "40")
        return {Path(str(hit["path"])).name for hit in rows(done)}

    night = {name for name, row in captions.items() if row["time"] == "at night"}
    sea = {name for name, row in captions.items() if row["place"] == "by the sea"}
    assert found("at night AND by the sea") == night & sea
    assert found("at night NOT by the sea") == night - sea
    assert found("at night OR by the sea") == night | sea
    assert found("NOT (at night OR by the sea)") == set(captions) - night - sea
    (hit, *_) = rows(
        run("search", "at night NOT by the sea", "--library", library, "--json", "--explain")
    )
    assert (hit["logit"], hit["cosine"]) == (None, None)
    terms = hit["terms"]
    assert isinstance(terms, dict)
    assert hit["probability"] == pytest.approx(terms["at night"] * (1 - terms["by the sea"]))
    first = sorted(night)[0]
    alike = f'photo:"{drawn / first}" AND at night'
    assert found(alike, "--self") == found(alike) | {first}
    assert first not in found(alike)


def test_a_weight_on_the_whole_query_changes_nothing(library: Path, run: Run) -> None:
    where = ("--library", library, "--json")
    plain = run("search", "a house", *where).stdout
    assert plain != ""
    assert run("search", "a house^2", *where).stdout == plain
    assert run("search", "(a house)^0.5", *where).stdout == plain


def test_the_least_probability_is_of_the_one_that_is_shown(library: Path, run: Run) -> None:
    where = ("--library", library, "-n", "40")
    hits = rows(run("search", "at night", *where, "--json"))
    least = sorted(float(hit["probability"]) for hit in hits)[3]  # type: ignore[arg-type]
    found = rows(run("search", "at night", *where, "--json", "--min-probability", least))
    assert rows(run("search", "at night", *where, "--json", "--min-score", least)) == found
    assert found == [hit for hit in hits if float(hit["probability"]) >= least]  # type: ignore[arg-type]
    assert len(found) < len(hits)
    half = rows(run("search", "at night", *where, "--json", "--min-probability", "50%"))
    assert half == rows(run("search", "at night", *where, "--json", "--min-score", "0.5")) != []
    unreached = run("search", "a house", *where, "--min-probability", "1").stdout
    assert unreached.startswith("No photo has a probability of 1 or more; the best has 0.99")


def test_a_query_without_words(library: Path, run: Run) -> None:
    for query in ("!!!", "cat AND ..."):
        assert "has no words" in error_of(run("search", query, "--library", library, check=False))


def test_a_page_into_a_folder_that_is_not_there(library: Path, tmp_path: Path, run: Run) -> None:
    done = run(
        "search",
        "at night",
        "--library",
        library,
        "--html",
        tmp_path / "nowhere" / "page.html",
        check=False,
    )
    assert f"there is no folder {tmp_path / 'nowhere'}; create it first" in error_of(done)


def test_a_page_in_the_place_of_a_photo_is_refused_before_anything_is_searched(
    tmp_path: Path, run: Run
) -> None:
    before = save(tmp_path / "a.jpg").read_bytes()
    for words in (
        ["search", "at night", "--html"],
        ["similar", "a.jpg", "--html"],
        ["eval", "captions.jsonl", "--report"],
    ):
        done = run(*words, "a.jpg", "--library", "nowhere", check=False)
        assert (
            error_of(done)
            == "error: a.jpg already exists and was not written by sigseek; choose another name"
        )
    assert (tmp_path / "a.jpg").read_bytes() == before


def test_advice_is_about_the_library_that_was_named(tmp_path: Path, run: Run) -> None:
    save(tmp_path / "photos" / "a.jpg")
    (tmp_path / "photos" / "bad.jpg").write_text("no picture")
    for where in (["--library", "my library"], ["--library=my library"]):
        done = run("index", "photos", *where, "--model", "mini")
        assert (
            "1 file could not be read. To see why: sigseek failures --library 'my library'\n"
            in done.stderr
        )
    done = run("index", "photos", "--model", "mini", SIGSEEK_LIBRARY="my library")
    assert done.stderr.endswith("To see why: sigseek failures\n")


def test_advice_about_the_calibration_names_the_library(
    library: Path, drawn: Path, tmp_path: Path, run: Run
) -> None:
    own = shutil.copytree(library, tmp_path / "own library")
    catalog = Catalog(own)
    with catalog.transaction() as transaction:
        transaction.put_calibration(catalog.checkpoints()[0].id, "nonsense")
    catalog.close()
    for words in (
        ["search", "at night"],
        ["eval", drawn / "captions.jsonl"],
        ["tag", "--label", "x"],
    ):
        line = run(*words, "--library", own, check=False).stderr.splitlines()[-1]
        assert line.startswith("error: ")
        assert f"sigseek calibrate --library '{own}'" in line


def test_a_query_that_cannot_be_read_is_pointed_at(library: Path, run: Run) -> None:
    done = run("search", "a dog AND (beach", "--library", library, check=False)
    line, query, caret = done.stderr.splitlines()
    assert done.returncode == 1
    assert line.startswith("error: column 11: ( is never closed")
    assert (query, caret) == ("a dog AND (beach", " " * 10 + "^")


def test_options_of_the_model_that_do_nothing_say_so(library: Path, run: Run) -> None:
    where = ("--library", library, "--model", "mini")
    note = "note: --model does nothing here; no checkpoint is used\n"
    for words in (["status"], ["failures", "--json"], ["tag", "--list"], ["index", "--list"]):
        assert note in run(*words, *where).stderr
    assert note in run("tag", "--add", "x", "nowhere.jpg", *where, check=False).stderr
    for decision in ("--not", "--again"):
        assert note in run("duplicates", decision, "a.jpg", "b.jpg", *where, check=False).stderr
    assert note not in run("search", "a house", *where).stderr
    environment = {"SIGSEEK_LIBRARY": str(library), "SIGSEEK_MODEL": "mini"}
    assert run("status", **environment).stderr == ""


def test_a_closer_look(library: Path, run: Run) -> None:
    where = ("--library", library, "--json", "--all", "-n", "40")
    before = rows(run("search", "a house", *where))
    closer = rows(run("search", "a house", *where, "--closer", "10"))
    looked = [hit for hit in closer if "closer" in hit]
    assert len(looked) == 10
    assert {hit["path"] for hit in looked} == {
        hit["path"] for hit in sorted(before, key=lambda hit: -hit["cosine"])[:10]
    }  # type: ignore[operator]
    by_path = {hit["path"]: hit for hit in before}
    assert all(hit["score"] == by_path[hit["path"]]["score"] for hit in closer), (
        "the plain sigmoid stays as it is"
    )
    assert "leave out the operators" in error_of(
        run("search", "a AND b", "--library", library, "--closer", "5", check=False)
    )


def test_calibrate(drawn: Path, tmp_path: Path, run: Run) -> None:
    from tests.checkpoints import copy_mini

    bare = copy_mini(tmp_path / "bare" / "mini")  # the name is that of mini's conversion
    (bare / "calibration.json").unlink()
    where = ("--library", tmp_path / "library")
    for _ in range(2):  # the second run finishes what hits are judged by
        run("index", drawn, *where, "--model", bare)
    assert rows(run("search", "at night", *where, "--json"))[0]["judged_by"] == "uncalibrated"
    assert (
        "12 photos match (uncalibrated), the best 10 shown (-n 100 for more)"
        in run("search", "at night", *where).stdout
    )
    lines = (drawn / "captions.jsonl").read_text().splitlines()
    for row in [json.loads(line) for line in lines]:
        lines += [
            json.dumps({"file": row["file"], "caption": row[key]})
            for key in ("time", "place", "weather")
        ]
    captions = drawn / "more.jsonl"
    captions.write_text("\n".join([*lines, '{"file": "gone.jpg", "caption": "a"}', "{"]) + "\n")
    done = run("calibrate", captions, *where, "--json")
    (fitted,) = rows(done)
    assert f"warning: {captions}: line {len(lines) + 1}: " in done.stderr
    assert f"warning: {captions}: line {len(lines) + 2}: " in done.stderr
    hit = rows(run("search", "at night", *where, "--json"))[0]
    assert hit["judged_by"] == "calibrated"
    logit = float(fitted["slope"]) * float(hit["logit"]) + float(fitted["intercept"])  # type: ignore[arg-type]
    assert hit["probability"] == pytest.approx(1 / (1 + math.exp(-logit)), abs=1e-6)
    captions.write_text("\n".join(lines[:9]))
    few = run("calibrate", captions, *where, check=False)
    assert (few.returncode, few.stdout) == (1, "")
    assert (
        "error: too few pictures (9) or different captions (9); calibrate on 30 or more of each"
        in few.stderr
    )
    assert "no library at" in error_of(
        run("calibrate", captions, "--library", tmp_path / "none", "--model", "mini", check=False)
    )


def test_calibrate_takes_the_images_of_a_split_from_another_folder(
    drawn: Path, library: Path, tmp_path: Path, run: Run
) -> None:
    lines = [json.loads(line) for line in (drawn / "captions.jsonl").read_text().splitlines()]
    images = [
        {
            "filename": line["file"],
            "split": "val" if number < 35 else "test",
            "sentences": [{"raw": line["caption"]}],
        }
        for number, line in enumerate(lines)
    ]
    (tmp_path / "dataset.json").write_text(json.dumps({"images": images}))
    own = shutil.copytree(
        library, tmp_path / "own"
    )  # other tests go by the calibration that came with mini
    asked = ("calibrate", tmp_path / "dataset.json", "--pictures", drawn, "--library", own)
    assert (
        "calibrated on 35 pictures with 35 different captions"
        in run(*asked, "--split", "val").stdout
    )
    few = run(*asked, check=False)
    assert few.returncode == 1
    assert "error: too few pictures (5)" in few.stderr


def test_similar(library: Path, drawn: Path, tmp_path: Path, run: Run) -> None:
    photo = drawn / "scene-00003.jpg"
    hits = rows(run("similar", photo, "--library", library, "--json", "-n", "4"))
    assert set(hits[0]) == {"rank", "path", "cosine"} | METADATA
    assert str(photo) not in [hit["path"] for hit in hits], "the photo itself is left out"
    outside = shutil.copy(photo, tmp_path / "renamed.jpg")
    first, *others = rows(run("similar", outside, "--library", library, "--json", "-n", "4"))
    assert (first["path"], first["cosine"], first["query_photo"]) == (str(photo), 1, "copy"), (
        "known by its content"
    )
    assert [hit["path"] for hit in others] == [hit["path"] for hit in hits[:3]]


def test_classify_needs_no_library(drawn: Path, run: Run) -> None:
    photos = sorted(drawn.glob("*.jpg"))[:2]
    (first, second) = rows(
        run("classify", *photos, "--label", "night", "--label", "noon", "--model", "mini", "--json")
    )
    assert [first["path"], second["path"]] == [str(photo) for photo in photos]
    assert {row["label"] for row in first["scores"]} == {"night", "noon"}  # type: ignore[attr-defined]


def test_a_summary_of_the_answer_comes_before_the_hits(library: Path, run: Run) -> None:
    where = ("--library", library, "--json")
    alone = rows(run("search", "a house", *where, "-n", "3"))
    summary, *hits = rows(run("search", "a house", *where, "-n", "3", "--summary"))
    assert hits == alone
    fields: dict[str, Any] = summary["summary"]  # type: ignore[assignment]
    assert list(fields) == [
        "matches", "maybes", "counted", "expected", "confidence", "photos", "judged_by", "terms",
        "selection", "query", "order", "offset", "next_page",
    ]  # fmt: skip
    assert (fields["matches"], fields["photos"], fields["judged_by"]) == (4, 40, "calibrated")
    assert fields["terms"][0]["term"] == "a house"
    _, *rest = rows(run("search", "a house", *where, "--summary", "--page", fields["next_page"]))
    assert [hit["rank"] for hit in rest] == [4]
    (none,) = rows(run("search", "a giraffe", *where, "--summary"))
    assert none["summary"]["matches"] == 0  # type: ignore[index]
    (of_facts,) = rows(run("search", "date:1978", *where, "--summary"))
    assert of_facts["summary"]["selection"] == 'date:"1978"'  # type: ignore[index]
    done = run("search", "a house", "--library", library, "--summary", check=False)
    assert (done.returncode, "Use --summary with --json." in done.stderr) == (2, True)


def test_failures(tmp_path: Path, run: Run) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").write_bytes(b"")
    where = ("--library", tmp_path / "library")
    done = run("index", tmp_path / "photos", *where, "--model", "mini", "--json")
    (report,) = rows(done)
    assert (report["failed"], report["device"]) == (1, None)
    assert done.stderr.splitlines()[-1] == (
        f"1 file could not be read. To see why: sigseek failures --library {tmp_path / 'library'}"
    ), "advice is on stderr beside JSON, too"
    path = str(tmp_path / "photos" / "a.jpg")
    assert rows(run("failures", *where, "--json")) == [
        {"path": path, "reason": "the file is empty"}
    ]
    assert run("failures", *where).stdout == f"{path}: the file is empty\n"
    assert run("failures", *where, "--paths").stdout == f"{path}\n"
    assert run("failures", *where, "--print0").stdout == f"{path}\0"
    for form in ("--json", "--paths", "--print0"):
        for none in ("--damaged", "--skipped"):
            done = run("failures", none, *where, form)
            assert (done.stdout, len(done.stderr.splitlines())) == ("", 1), "said on stderr"


def test_help_and_version(run: Run) -> None:
    assert run("--version").stdout == run("-V").stdout == f"sigseek, version {__version__}\n"
    assert run("help").stdout == run("--help").stdout == run("-h").stdout
    for command in COMMANDS:
        assert run("help", command).stdout == run(command, "--help").stdout
    text = " ".join(run("--help").stdout.split())
    for command, line in COMMANDS.items():
        assert f"{command} {line}" in text
        loaded_command = cli.get_command(click.Context(cli), command)
        assert loaded_command is not None
        assert loaded_command.name == command
        assert (loaded_command.help or "").splitlines()[0] == line
    assert "sigseek search" in run("search", "--help").stdout
    loaded = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "sigseek", "--help"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=True,
    )
    imported = {line.split("|")[-1].strip() for line in loaded.stderr.splitlines()}
    assert not imported & {"torch", "transformers", "faiss", "sqlalchemy", "numpy"}, (
        "help must not wait for them"
    )


def test_indexing_an_unchanged_folder_loads_little(library: Path, drawn: Path) -> None:
    command = [
        sys.executable,
        "-X",
        "importtime",
        "-m",
        "sigseek",
        "index",
        drawn,
        "--library",
        library,
        "--json",
    ]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True)
    assert json.loads(done.stdout)["unchanged"] == 40
    imported = {
        line.split("|")[-1].strip()
        for line in done.stderr.splitlines()
        if line.startswith("import time:")
    }
    heavy = {
        "torch",
        "transformers",
        "faiss",
        "huggingface_hub",
        "openvino",
        "alembic",
        "tqdm",
        "platformdirs",
        "numpy",
        "PIL",
    }
    assert imported & (heavy | {"sqlalchemy"}) == {"sqlalchemy"}
    assert len(done.stderr.splitlines()) == len(done.stderr.split("import time:")) - 1, (
        "no bar where there is nothing to do"
    )


def error_of(done: "subprocess.CompletedProcess[str]") -> str:
    """Return the one line of an error that ends the program with 1 and prints nothing else.

    A file may be found unusable while the image tower is loaded, which may need a conversion first.
    """
    assert done.returncode == 1, done.stderr
    assert done.stdout == ""
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    (line,) = [line for line in lines if not line.startswith("preparing mini in ")]
    assert line.startswith("error: ")
    assert "; " in line, "what was found; what to do"
    return line


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["index", "nowhere", "--model", "mini"], "no folder"),
        (
            ["index", "~no such user/photos", "--model", "mini"],
            "/~no such user/photos; check the name",
        ),
        (["index", "x" * 300, "--model", "mini"], "cannot be read (File name too long)"),
        (["index", "a.jpg/below", "--model", "mini"], "/a.jpg/below; check the name"),
        (["similar", "~no such user"], "no file"),
        (["classify", "x" * 300, "--label", "x", "--model", "mini"], "there is no such file"),
        (["index", "a.jpg", "--model", "mini"], "is a file"),
        (["index"], "no library at"),
        (
            ["status", "--library", "a.jpg"],
            "a.jpg is a file, and a library is a directory; give --library a directory",
        ),
        (["search", "a house"], "no library at"),
        (["similar", "a.jpg"], "no library at"),
        (["status"], "no library at"),
        (["failures"], "no library at"),
        (["search", ""], "error: the query is empty"),
        (["search", "  \t"], "error: the query is empty"),
        (["similar", "nowhere.jpg"], "no file"),
        (["similar", "."], "is a folder"),
        (["classify", "nowhere.jpg", "--label", "x", "--model", "mini"], "no such file"),
        (["classify", "text.jpg", "--label", "x", "--model", "mini"], "not a picture"),
        (["classify", "a.jpg", "--label", "", "--model", "mini"], "empty"),
        (["classify", "a.jpg", "--labels-file", "nowhere.txt", "--model", "mini"], "no such file"),
        (["tag", "--label", "x"], "no library at"),
        (["tag", "--label", "x = "], "nothing after its ="),
        (["tag", "--list"], "no library at"),
        (["tag", "--remove", "x"], "no library at"),
        (["index", ".", "--model", "./nowhere"], "neither a directory"),
        (["index", ".", "--model", "."], "no config.json"),
        (["index", ".", "--model", "mini", "--library", "a.jpg/library"], "cannot be made"),
        (["demo", "--folder", "."], "contains files that are not the demo's"),
    ],
)
def test_bad_input_gets_one_line(tmp_path: Path, run: Run, arguments: list[str], said: str) -> None:
    save(tmp_path / "a.jpg")
    (tmp_path / "text.jpg").write_text("hello")
    library = (
        ()
        if "--library" in arguments or arguments[0] == "demo"
        else ("--library", tmp_path / "new")
    )
    assert said in error_of(run(*arguments, *library, check=False))
    assert not (tmp_path / "new").exists(), (
        "nothing is made of a command that cannot be carried out"
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ["frobnicate"],
        ["search"],
        ["failures", "--damaged", "--skipped"],
        ["search", "x", "--html", "--paths"],
        ["search", "x", "--json", "--print0"],
        ["search", "x", "--min-score", "0.5", "--min-probability", "0.5"],
        ["search", "x", "--min-probability", "half"],
        ["help", "frobnicate"],
        ["index", "x", "--exclude", "--list"],
        ["forget", "--keep", "a"],
        ["search", "x", "-n", "many"],
        ["index", ".", "--device", "tpu"],
        ["classify"],
        ["classify", "a.jpg", "--model", "mini"],
        ["tag"],
        ["tag", "--list", "--label", "x"],
        ["tag", "--list", "--remove", "x"],
        ["index", ""],
        ["search", "x", "--library", ""],
        ["classify", "a.jpg", "", "--label", "x"],
    ],
)
def test_wrong_syntax_ends_with_2(tmp_path: Path, run: Run, arguments: list[str]) -> None:
    done = run(*arguments, check=False)
    assert done.returncode == 2
    assert "Usage:" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_name_that_begins_like_a_home(tmp_path: Path, run: Run) -> None:
    """The shell leaves such a name as it is where there is no such user, and so does the
    program.
    """
    save(tmp_path / "~old photos" / "a.jpg")
    where = ("--library", "~library of mine", "--model", "mini")
    (report,) = rows(run("index", "~old photos", *where, "--json"))
    assert report["added"] == 1
    assert len(rows(run("similar", "~old photos/a.jpg", *where, "--json", "-n", "1"))) == 0, (
        "it finds others only"
    )
    run("forget", "~old photos", "--library", "~library of mine", "--yes")


def test_bad_input_to_a_library(library: Path, tmp_path: Path, run: Run) -> None:
    (tmp_path / "text.jpg").write_text("hello")
    where = ("--library", library)
    assert "not a picture" in error_of(run("similar", tmp_path / "text.jpg", *where, check=False))
    assert "error: 0 hits cannot be shown; -n must be at least 1" in error_of(
        run("search", "x", "-n", "0", *where, check=False)
    )
    assert "outside 0 to 1; write 7 percent as 0.07" in error_of(
        run("search", "x", "--min-score", "7", *where, check=False)
    )
    long = run("search", "word " * 10_000, *where, "--json", "--all", "-n", "1")
    assert len(rows(long)) == 1
    assert (
        "the query has 10,000 words and the model reads 64 tokens; only its beginning was "
        "searched for" in long.stderr
    )
    assert "not UTF-8" in error_of(run("search", "caf\udce9", *where, check=False))
    unread = run("search", "AND cat", *where, check=False)
    assert (unread.returncode, unread.stdout) == (1, "")
    assert unread.stderr.startswith("error: column 1: AND at the beginning of the query; ")
    assert unread.stderr.endswith("\nAND cat\n^\n")


def test_without_any_streams(library: Path, drawn: Path) -> None:
    """A service manager may start the program so."""
    for words, status in (
        (["status"], 0),
        (["search", "a house"], 0),
        (["forget", drawn], 1),
        (["prune"], 0),
    ):
        closed = ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh"]
        program = [Path(sys.executable).parent / "sigseek", *words, "--library", library]
        assert subprocess.run([*closed, *program], timeout=60, check=False).returncode == status


def test_an_empty_folder_is_a_warning(tmp_path: Path, run: Run) -> None:
    (tmp_path / "empty").mkdir()
    where = ("--library", tmp_path / "library")
    done = run("index", tmp_path / "empty", *where, "--model", "mini")
    assert f"warning: no pictures found in {tmp_path / 'empty'}" in done.stderr
    assert "has no photos yet" in error_of(run("search", "a house", *where, check=False))


def test_another_checkpoint_than_the_librarys(library: Path, tmp_path: Path, run: Run) -> None:
    from tests.conversions import save_converted_tiny

    other = save_converted_tiny(tmp_path / "tiny")
    line = error_of(run("search", "a house", "--library", library, "--model", other, check=False))
    assert f"made with mini, not with {other}" in line
    assert f"sigseek index --library {library} --model {other}" in line


def test_damaged_library_files(library: Path, tmp_path: Path, run: Run) -> None:
    copy = Path(shutil.copytree(library, tmp_path / "copy"))
    where = ("--library", copy)
    good = run("search", "at night", *where, "--json").stdout
    (index,) = (copy / "index").glob("*.faiss")
    index.write_bytes(index.read_bytes()[:500])
    assert run("search", "at night", *where, "--json").stdout == good, "made again from the catalog"
    shutil.rmtree(copy / "index")
    assert run("search", "at night", *where, "--json").stdout == good
    for path in copy.glob("catalog.sqlite*"):
        path.write_bytes(b"garbage" * 1000)
    line = error_of(run("search", "at night", *where, check=False))
    assert str(copy / "catalog.sqlite") in line
    assert (copy / "catalog.sqlite").read_bytes() == b"garbage" * 1000, "nothing is written over"


@pytest.mark.parametrize("name", ["search.py", "storage/__init__.py"])
def test_a_module_of_the_users_own_named_as_one_of_our_folders(tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("x = 1\n")
    for command in (["-m", "sigseek", "--help"], ["-c", "import sigseek; sigseek.open('x')"]):
        done = subprocess.run(
            [sys.executable, *command], capture_output=True, text=True, cwd=tmp_path, check=False
        )
        assert (done.returncode, done.stderr) == (0, "")


def test_ctrl_c_keeps_what_is_done_and_the_next_run_goes_on(
    tmp_path: Path, run: Run, start: Start
) -> None:
    photos, errors = tmp_path / "photos", tmp_path / "errors"
    for number in range(150):
        save(photos / f"{number}.jpg", seed=number)
    where = ("--library", tmp_path / "library")
    indexing = start(
        "index", photos, *where, "--model", "mini", output=tmp_path / "output", errors=errors
    )
    deadline = time.monotonic() + 120
    while stored(tmp_path / "library") < 32 and time.monotonic() < deadline:
        time.sleep(0.01)
    indexing.send_signal(signal.SIGINT)
    assert indexing.wait(60) == 130
    stderr = errors.read_text()
    assert "Traceback" not in stderr
    assert stderr.splitlines()[-1].startswith("interrupted")
    kept = stored(tmp_path / "library")
    assert 32 <= kept < 150
    (report,) = rows(run("index", photos, *where, "--json"))
    assert (report["unchanged"], report["added"]) == (kept, 150 - kept)


def test_an_interrupt_that_python_drops_comes_again() -> None:
    code = """
import signal, time, weakref
from sigseek.cli.main import repeat_lost_interrupts

class Thing:
    pass

repeat_lost_interrupts()
thing = Thing()
reference = weakref.ref(thing, lambda _: signal.raise_signal(signal.SIGINT))
try:
    del thing
    print("dropped")
    time.sleep(600)
except KeyboardInterrupt:
    print("came again")
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=100
    )
    assert (done.stdout, done.stderr) == ("dropped\ncame again\n", "")


def test_an_interrupt_while_a_connection_is_given_back_is_told_in_a_line(library: Path) -> None:
    code = f"""
import sys
from sqlalchemy import event
from sqlalchemy.pool import Pool
from sigseek.__main__ import main

@event.listens_for(Pool, "reset")
def interrupt(*_):
    raise KeyboardInterrupt

sys.argv = ["sigseek", "status", "--library", {str(library)!r}]
sys.exit(main())
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=100
    )
    assert (done.returncode, done.stderr) == (130, "stopped\n")


def stored(library: Path) -> int:
    import sqlite3

    if not (library / "catalog.sqlite").exists():
        return 0
    connection = sqlite3.connect(f"file:{library / 'catalog.sqlite'}?mode=ro", uri=True)
    try:
        return int(connection.execute("SELECT count(*) FROM embedding").fetchone()[0])
    except sqlite3.OperationalError:  # the tables are still being made
        return 0
    finally:
        connection.close()


def test_output_into_a_closed_pipe(library: Path) -> None:
    program = Path(sys.executable).parent / "sigseek"
    done = subprocess.run(
        f"'{program}' search 'at night' -n 40 --library '{library}' --json | head -n 1; "
        "exit ${PIPESTATUS[0]}",
        shell=True,
        executable="/bin/bash",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0
    assert "Traceback" not in done.stderr
    assert "error" not in done.stderr
    assert len(done.stdout.splitlines()) == 1


def test_odd_file_names_are_shown_and_passed_on(tmp_path: Path, run: Run) -> None:
    photos = tmp_path / "photos"
    save(photos / "a\x1b[31m\nred.jpg", seed=1)
    raw = os.fsencode(photos) + b"/caf\xe9.jpg"
    os.rename(save(photos / "b.jpg", seed=2), raw)
    where = ("--library", tmp_path / "library")
    run("index", photos, *where, "--model", "mini")
    table = run("search", "x", *where, "--all").stdout
    assert "\x1b" not in table
    assert "a\\x1b[31m\\nred.jpg" in table
    program = Path(sys.executable).parent / "sigseek"
    piped = subprocess.run(
        [program, "search", "x", *map(str, where), "--all", "--paths"],
        capture_output=True,
        check=True,
    )
    assert raw in piped.stdout.split(b"\n")
    assert piped.stdout.count(b"\n") == 1, "a path with a line break would be two"
    assert b"left out: 1 path with a line break; --print0 prints all" in piped.stderr
    os.remove(raw)
    run("index", *where)
    left = run("search", "x", *where, "--all", "--print0")
    assert (left.stdout, left.stderr.splitlines(keepends=True)[-1]) == (
        f"{photos}/a\x1b[31m\nred.jpg\0",
        "left out: 1 photo whose file is not there now\n",
    )
    paths = [str(row["path"]) for row in rows(run("search", "x", *where, "--all", "--json"))]
    assert os.fsdecode(raw) in paths

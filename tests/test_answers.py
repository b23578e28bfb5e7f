"""What is said of an answer: the line over the hits, and what the numbers mean."""

from dataclasses import replace
from typing import Any

import pytest

from sigseek.answers import answer, headline, hit_explanation
from sigseek.cli.remedies import spell
from sigseek.errors import Remedy
from sigseek.results import rounded
from sigseek.search.results import Hit, JudgedTerm, SearchResults
from tests.answered import found, hit, term


@pytest.mark.parametrize(
    ("results", "limit", "said"),
    [
        (found("match", expected=1.4), 10, "1 photo matches"),
        (found("match", "match", expected=2.1), 2, "2 photos match"),
        (
            found("match", "match", matches=23, maybes=6, expected=24.4),
            2,
            "23 photos match, the best 2 shown (-n 20 for more); 6 more may (--all)",
        ),
        (
            found("match", "match", matches=23_456, counted=False, maybes=12_345, expected=9e5),
            2,
            "about 23,000 photos match, the best 2 shown (-n 20 for more); 12,000 more may (--all)",
        ),
        (
            found("match", "match", expected=29.6, photos=1_000_000),
            10,
            "2 photos match, probably about 30 of 1,000,000 in all",
        ),
        (
            found("match", maybes=7, expected=4.1),
            10,
            "1 photo matches; 7 more may (--all)",
        ),
        (
            found("match", judged_by="uncalibrated", maybes=2),
            10,
            "1 photo matches (uncalibrated); 2 more may (--all)",
        ),
        (found("match", matches=23), 1, "23 photos match, the best one shown (-n 10 for more)"),
        (
            found("match", "match", matches=23, judged_by="facts"),
            2,
            "23 photos match, the first 2 shown (-n 20 for more)",
        ),
        (
            replace(found("match", matches=21), offset=20),
            20,
            "21 photos match, number 21 shown",
        ),
        (
            replace(found("match", "match", matches=22), offset=20),
            20,
            "22 photos match, 21 to 22 shown",
        ),
        (found(None, None, judged_by="nothing"), 10, "2 photos listed, not judged yet"),
        (found(maybes=5, best=hit("maybe")), 10, "No photo clearly matches; 5 may (--all)"),
        (
            found(best=hit("no match", 0.024)),
            10,
            "No photo matches; the closest is /p/a.jpg (0.02)",
        ),
        (
            found(best=hit("no match", 0.024), judged_by="uncalibrated"),
            10,
            "No photo matches (uncalibrated); the closest is /p/a.jpg (0.02)",
        ),
        (found(), 10, "No photo matches"),
    ],
)
def test_headlines(results: SearchResults, limit: int, said: str) -> None:
    assert headline(results, limit).spelled(spell) == said


@pytest.mark.parametrize(
    ("results", "limit", "said"),
    [
        (
            found("match", "maybe", maybes=1),
            2,
            "1 photo matches; 1 more may; the best 2 of 200 photos listed (-n 20 for more)",
        ),
        (found("match", "no match", photos=2), 10, "1 photo matches; all 2 photos listed"),
        (
            found("match", "match", matches=3),
            2,
            "3 photos match; the best 2 of 200 photos listed (-n 20 for more)",
        ),
        (
            found("maybe", maybes=1, photos=1),
            10,
            "No photo clearly matches; 1 may; 1 photo listed",
        ),
    ],
)
def test_headlines_of_everything(results: SearchResults, limit: int, said: str) -> None:
    """A hint that was followed is not given again."""
    assert headline(results, limit, include_all=True).spelled(spell) == said


def test_a_probability_that_is_asked_for() -> None:
    results = found("match", "match", matches=5)
    assert headline(results, 2, 0.9).spelled(spell) == (
        "5 photos match with a probability of 0.9 or more, the best 2 shown (-n 20 for more)"
    )


def test_the_expected_number_of_all_photos_is_not_held_against_the_likeliest() -> None:
    results = found("match", expected=110.0, photos=300)
    assert headline(results, 10).text == "1 photo matches, probably about 110 of 300 in all"
    assert headline(results, 10, 0.9).text == "1 photo matches with a probability of 0.9 or more"


def test_a_probability_that_is_asked_for_and_not_reached() -> None:
    results = found(best=hit("match", 0.99995))
    assert headline(results, 10, 0.99999).spelled(spell) == (
        "No photo has a probability of 0.99999 or more; the best has 0.99995: /p/a.jpg"
    )


LEGEND = (
    "The number is how likely a photo belongs to the answer: a match from 0.5 on, a maybe from 0.1 "
    "on; 200 photos searched"
)


@pytest.mark.parametrize(
    ("results", "options", "said"),
    [
        (found("match"), {}, [f"{LEGEND}; --all also lists the others; --explain tells what a "
                              "number comes from"]),
        (found("match"), {"include_all": True, "explain": True}, [LEGEND]),
        (
            found("match", judged_by="uncalibrated"),
            {"include_all": True, "explain": True},
            [f"{LEGEND}; to check numbers against captions of yours: "
             "sigseek calibrate CAPTIONS.jsonl"],
        ),
        (found("match", photos=1), {"explain": True},
         [LEGEND.replace("200 photos", "1 photo")]),
        (found(None, judged_by="nothing"), {}, []),
        (found(), {}, []),
        (
            found(best=hit("no match"), terms=(term("a giraffe", 0.012),)),
            {},
            ["Why: as far as can be told, your photos show nothing of it (certainty 0.01); "
             "200 photos searched"],
        ),
        (
            found(best=hit("maybe"), maybes=3, terms=(term("a {giraffe}", 0.3),)),
            {},
            ["Why: it is not certain that your photos show it (certainty 0.30); "
             "200 photos searched"],
        ),
        (
            found(best=hit("no match"), terms=(term(), term("a giraffe", 0.012))),
            {},
            ["Why: as far as can be told, your photos show nothing of 'a giraffe' "
             "(certainty 0.01); 200 photos searched"],
        ),
        (
            found(best=hit("no match"), terms=tuple(term(name, 0.01) for name in "abcde")),
            {},
            ["Why: as far as can be told, your photos show nothing of 'a' and 'b' and 'c' and "
             "2 more (certainty 0.01, 0.01, 0.01); 200 photos searched"],
        ),
        (
            found(best=hit("maybe"), maybes=1, terms=(term("a {house}", 0.8),)),
            {},
            ["Why: your photos seem to show something of it (certainty 0.80), but none shows it "
             "clearly; 200 photos searched"],
        ),
        (
            found(
                best=hit("no match"),
                terms=(term(), term("a giraffe", 0.01, required=False), term("t", None)),
            ),
            {},
            ["Why: no photo has all of what was asked for; --all --explain tells what each one "
             "lacks"],
        ),
        (
            found("no match", matches=0, terms=(term(), term("at night"))),
            {"include_all": True},
            ["Why: no photo has all of what was asked for; --explain tells what each one lacks",
             f"{LEGEND}; --explain tells what a number comes from"],
        ),
        (
            found("no match", matches=0, terms=(term(), term("at night"))),
            {"include_all": True, "explain": True},
            ["Why: no photo has all of what was asked for; 200 photos searched", LEGEND],
        ),
        (
            found(best=hit("maybe"), terms=(term("a giraffe", 0.25, required=False),
                                            term("an ostrich", 0.02, required=False))),
            {},
            ["Why: it is not certain that your photos show 'a giraffe' or 'an ostrich' "
             "(certainty 0.25, 0.02); 200 photos searched"],
        ),
        (
            found(best=hit("maybe"), terms=(term("a giraffe", 0.25, required=False),
                                            term("photo:1", None, required=False))),
            {},
            ["Why: no photo clearly has what the query as a whole asks for; --all --explain tells "
             "what each one lacks"],
        ),
        (
            found(best=hit("maybe"), terms=(term("a giraffe", 0.25),)),
            {"min_probability": 0.2},
            ["Why: it is not certain that your photos show it (certainty 0.25); "
             "200 photos searched"],
        ),
        (
            found("match"),
            {"min_probability": 0.9},
            [f"{LEGEND}; --explain tells what a number comes from"],
        ),
        (
            found(best=hit("maybe"), terms=(term("photo:a", None, decided_by="likeness"),)),
            {},
            ["Why: no photo is much more like it than chance would have it; 200 photos searched"],
        ),
        (
            found(photos=1, terms=(term("photo:a", None, decided_by="likeness"),)),
            {},
            ["Why: there is no other photo; --self lists the photo itself"],
        ),
        (
            found("no match", matches=0, terms=(term(confidence=0.1),)),
            {"include_all": True, "explain": True},
            ["Why: as far as can be told, your photos show nothing of it (certainty 0.10); "
             "200 photos searched", LEGEND],
        ),
    ],
)  # fmt: skip
def test_legends(results: SearchResults, options: dict[str, Any], said: list[str]) -> None:
    spelled = [line.spelled(spell) for line in answer(results, 10, **options).legend]
    assert spelled == said


@pytest.mark.parametrize(
    ("terms", "said"),
    [
        (
            (term(decided_by="two groups"),),
            ["a house: certainty 0.99 that your photos show it; a photo's number for it comes from "
             "the two groups that the scores form here"],
        ),
        (
            (term(confidence=None, decided_by="sigmoid"),),
            ["a house: a photo's number for it comes from SigLIP's own probability"],
        ),
        (
            (term(confidence=0.0), term("tag:x", None, decided_by="fact")),
            [
                "a house: certainty 0.00 that your photos show it; a photo's number for it comes "
                "from its score, by the checkpoint's calibration",
                "tag:x: a photo's number for it comes from what is known of the photo, 1 if it is "
                "true and 0 if not",
                "the whole query: AND multiplies the numbers of its parts, NOT turns one into "
                "1 minus it, and OR is 1 minus the chance that no part is true",
            ],
        ),
    ],
)  # fmt: skip
def test_what_decided_on_each_term(terms: tuple[JudgedTerm, ...], said: list[str]) -> None:
    results = found("match", terms=terms)
    assert answer(results, 10, explain=True).explanation == tuple(said)
    assert answer(results, 10).explanation == ()


@pytest.mark.parametrize(
    ("one", "said"),
    [
        (hit("match", 0.6), None),
        (
            hit("match", 0.6, confidence=0.8, terms={"a house": 0.6}),
            "0.60 = 0.80 that your photos show it x 0.75 that this one does",
        ),
        (hit(None, 0.6, terms={"a house": 0.6}), "a house 0.60"),
        (hit("match", 0.6, logit=None, confidence=0.8, terms={"tag:x": 1}), "tag:x 1.00"),
        (
            hit("match", 0.6, logit=None, terms={"a": 0.6, "b": 0.9}, held_back_by="a"),
            "a 0.60, b 0.90 (held back by a)",
        ),
        (hit("match", 0.9, logit=None, terms={"a": 1, "b": 0.9}), "a 1.00, b 0.90"),
    ],
)
def test_what_a_hits_number_comes_from(one: Hit, said: str | None) -> None:
    assert hit_explanation(one) == said


@pytest.mark.parametrize(
    ("probability", "digits", "said"),
    [
        (0.4996, 3, "0.499"),
        (0.4996, 2, "0.49"),
        (0.5, 3, "0.500"),
        (0.09996, 3, "0.099"),
        (0.0951, 2, "0.09"),
        (0.1, 2, "0.10"),
        (0.9996, 3, "1.000"),
        (0.6178, 2, "0.62"),
    ],
)
def test_no_number_reads_as_a_better_verdict(probability: float, digits: int, said: str) -> None:
    assert rounded(probability, digits) == said


def test_a_doubtful_hit_reads_as_one() -> None:
    one = hit("maybe", 0.4996, confidence=0.4998, terms={"a house": 0.4996})
    assert hit_explanation(one) == "0.49 = 0.49 that your photos show it x 1.00 that this one does"
    results = found(best=hit("no match", 0.0998), terms=(term("a house", 0.4998),))
    said = answer(results, 10)
    assert said.headline.text == "No photo matches; the closest is /p/a.jpg (0.09)"
    assert "(certainty 0.49)" in said.legend[0].text


def test_a_library_without_verdicts_says_how_to_get_them() -> None:
    (note,) = answer(found(None, judged_by="nothing"), 10).notes
    assert isinstance(note, Remedy)
    assert note.spelled(spell) == "To finish indexing: sigseek index"

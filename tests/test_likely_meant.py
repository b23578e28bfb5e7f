"""What people type in queries by habit, and what the note about it says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sigseek.cli.remedies import spell
from sigseek.errors import Call
from sigseek.search.errors import QuerySyntaxError
from sigseek.search.likely_meant import note_on_habits
from sigseek.search.parse import parse
from sigseek.search.query import quoted
from sigseek.search.tokens import TERMS_IN_WORDS


@pytest.mark.parametrize(
    ("typed", "named", "meant"),
    [
        ("house -car", "'-car' was", "house NOT car"),
        ("house \u2013car", "'\u2013car' was", "house NOT car"),
        ("house -car red", "'-car' was", "house NOT car AND red"),
        ("!car", "'!car' was", "NOT car"),
        ("+cat +dog", "'+cat' and '+dog' were", "cat AND dog"),
        ("a | b", "'|' was", "a OR b"),
        ("a||b", "'||' was", "a OR b"),
        ("a && b", "'&&' was", "a AND b"),
        ("a & b + c", "'&' and '+' were", "a AND b AND c"),
        ("a red house and a car", "'and' was", "a red house AND a car"),
        ("Cats Or dogs", "'Or' was", "Cats OR dogs"),
        ("house not car", "'not' was", "house NOT car"),
        ("not a dog", "'not' was", "NOT a dog"),
        ("dog but not people", "'but not' was", "dog NOT people"),
        ("a and b or -c", "'and', 'or' and '-c' were", "a AND b OR NOT c"),
        ("a and b or c not d", "'and', 'or' and 'not' were", "a AND b OR c NOT d"),
        ("a and b and c", "'and' was", "a AND b AND c"),
        ("a | b && c not d -e", "'|', '&&', 'not' and 1 more were", "a OR b AND c NOT d NOT e"),
        ("tags:beach", "'tags:beach' was", "tag:beach"),
        ("a dog Tags:beach sun", "'Tags:beach' was", "a dog AND tag:beach AND sun"),
        ("photos:~/a.jpg", "'photos:~/a.jpg' was", "photo:~/a.jpg"),
        ("house -tag:night", "'-tag:night' was", "house NOT tag:night"),
        ("house +tags:night", "'+tags:night' was", "house AND tag:night"),
        ('"a dog" and beach', "'and' was", '"a dog" AND beach'),
        ('beach and "a dog"', "'and' was", 'beach AND "a dog"'),
        ('"a" or "b" and c', "'or' and 'and' were", '"a" OR "b" AND c'),
        ('"dogs" but not people', "'but not' was", '"dogs" NOT people'),
        ('"a" and not b', "'and' and 'not' were", '"a" AND NOT b'),
        ('"a" and tags:x', "'and' and 'tags:x' were", '"a" AND tag:x'),
        ('a AND "b" | c', "'|' was", 'a AND "b" OR c'),
        ("a dog folder:Rom", "'folder:Rom' was", "a dog AND in:Rom"),
        ("year:2024", "'year:2024' was", "date:2024"),
        (
            "places:Lisbon city:Rome",
            "'places:Lisbon' and 'city:Rome' were",
            "place:Lisbon AND place:Rome",
        ),
        ("house and tag:night", "'and' was", "house AND tag:night"),
        ("tag:night or a house", "'or' was", "tag:night OR a house"),
        ("house -date:2024", "'-date:2024' was", "house NOT date:2024"),
        ("house not tag:night -car", "'not' and '-car' were", "house NOT tag:night NOT car"),
        ("house but not place:Rome", "'but not' was", "house NOT place:Rome"),
        ('("a and b" OR c and d)^2', "'and' was", '("a and b" OR c AND d)^2'),
    ],
)
def test_a_note_says_what_was_probably_meant(typed: str, named: str, meant: str) -> None:
    note = note_on_habits(typed)
    assert note is not None
    assert note.steps == (Call("search", (meant,)),)
    assert str(note).startswith(f"{named} searched as text; you may have meant: library.search(")
    parse(meant)


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("sun:Rom", f"'sun:Rom' was searched as text; the terms with a colon are {TERMS_IN_WORDS}"),
        (
            "sun:Rom | iso:Rom",
            "'|', 'sun:Rom' and 'iso:Rom' were searched as text; the terms with a colon are "
            f"{TERMS_IN_WORDS}; you may have meant: sigseek search 'sun:Rom OR iso:Rom'",
        ),
        (
            "a and or b",
            "'and' and 'or' were searched as text; the operators are AND, OR and NOT, in capitals",
        ),
        (
            "iso:" + "1" * 99,
            f"'iso:{'1' * 25}…' was searched as text; the terms with a colon are {TERMS_IN_WORDS}",
        ),
    ],
)
def test_a_note_without_a_sure_way_out_says_what_there_is(typed: str, said: str) -> None:
    note = note_on_habits(typed)
    assert note is not None
    assert note.spelled(spell) == said


@pytest.mark.parametrize(
    "typed",
    [
        "two cats on a sofa",
        "black and white cat",
        "a photo in black & white",
        "a dog that is not black",
        "a T-shirt at -5 degrees",
        "ANDROID NOTE AND, or",
        "and",
        "and a",
        "a or",
        "a not",
        "house - car",
        "R&B",
        "https://example.org",
        "a clock at 16:9",
        "a wedding photo: two people",
        '"a and b | -c folder:Rom"',
        "a dog AND (beach OR snow) NOT people",
        "tag:holiday NOT photo:a.jpg",
        "a tram place:Lisbon date:2024 at night",
        "date:2024",
    ],
)
def test_text_and_operators_have_no_note(typed: str) -> None:
    assert note_on_habits(typed) is None


pieces = st.sampled_from(
    [
        *("and", "or", "not", "but", "AND", "OR", "NOT", "&", "&&", "|", "||", "+", "-", "a", "b"),
        *("black", "white", "-a", "+b", "!c", "is", "tags:x", "photo:y", "folder:z", "(", ")"),
        *('"and"', '"c d"', "^2", "a|b", "{}", "{0}", "date:2024", "is:z", "x:y"),
    ]
)


@given(st.lists(pieces, max_size=9).map(" ".join) | st.text())
def test_what_was_probably_meant_can_be_searched_and_needs_no_note(typed: str) -> None:
    note = note_on_habits(typed)
    if note is None:
        return
    assert str(note).isprintable()
    for step in note.steps:
        assert isinstance(step, Call)
        (meant,) = step.arguments
        assert parse(meant) != parse(typed)
        again = note_on_habits(meant)
        assert again is None or again.steps == ()


@given(st.text().filter(str.strip))
def test_quotation_marks_take_a_text_literally(text: str) -> None:
    assert note_on_habits(quoted(text)) is None


@pytest.mark.parametrize("typed", ["(a) -b", '"a" b', "a and (b", "a AND"])
def test_a_query_that_cannot_be_read_gets_its_error_alone(typed: str) -> None:
    with pytest.raises(QuerySyntaxError):
        parse(typed)
    assert note_on_habits(typed) is None


def test_long_queries_take_linear_time() -> None:
    for typed in ("a and b | -c " * 20_000, "but not " * 50_000, "not " * 100_000):
        note = note_on_habits(typed)  # a quadratic one would take minutes
        assert len(str(note)) < 200

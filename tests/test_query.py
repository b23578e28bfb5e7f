import pickle
import re
import time
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sigseek.search.errors import QueryError, QuerySyntaxError
from sigseek.search.facts.kinds import KINDS
from sigseek.search.facts.names import Camera, parse_name
from sigseek.search.facts.periods import Period
from sigseek.search.facts.places import Around, Place
from sigseek.search.likely_meant import note_on_habits
from sigseek.search.parse import MOST_NESTED, parse
from sigseek.search.query import (
    And,
    Fact,
    Leaf,
    Not,
    Or,
    PhotoById,
    PhotoTerm,
    Query,
    Tag,
    Text,
    joined,
    label,
    negated,
    required,
    terms,
    unweighted,
)
from tests.conftest import ROOT

DOCUMENT = (ROOT / "docs" / "queries.md").read_text()
ROWS = [
    (typed.replace(r"\|", "|"), read.replace(r"\|", "|"))
    for typed, read in re.findall(r"^\| `(.+)` \| `(.+)` \|$", DOCUMENT, re.MULTILINE)
]

A, B, C = Text("a"), Text("b"), Text("c")


@pytest.mark.usefixtures("sunday")
@pytest.mark.parametrize(
    ("typed", "tree"),
    [
        ("two cats on a sofa", Text("two cats on a sofa")),
        ("  black and  white\tcat ", Text("black and  white\tcat")),
        ("a dog's nose", Text("a dog's nose")),
        ("ANDROID NOTE AND, or", Text("ANDROID NOTE AND, or")),
        ('"a dog" AND beach NOT people', And((Text("a dog"), Text("beach"), Not(Text("people"))))),
        ("a OR b AND c", Or((A, And((B, C))))),
        ("a AND b OR c", Or((And((A, B)), C))),
        ("(a OR b)AND(c)", And((Or((A, B)), C))),
        ("a OR b NOT c", Or((A, And((B, Not(C)))))),
        ("a AND NOT b OR c", Or((And((A, Not(B))), C))),
        ("NOT a", Not(A)),
        ("NOT a NOT b", And((Not(A), Not(B)))),
        ("NOT NOT NOT a", Not(A)),
        ("NOT (NOT (a AND b)) AND c", And((A, B, C))),
        ("a OR (b OR (c OR a))", Or((A, B, C, A))),
        ("a AND (b AND c)^2", And((A, And((B, C), 2)))),
        ("a AND (b AND c)^1", And((A, B, C))),
        ("a^2 AND b ^0.5", And((Text("a", 2), Text("b", 0.5)))),
        ("a^100", Text("a", 100)),
        ("NOT a^2", Not(A, 2)),
        ("(NOT a)^2", Not(A, 2)),
        ("NOT (a^2)", Not(A, 2)),
        ("NOT (NOT a)^2", Text("a", 2)),
        ("NOT (a OR b)^2", Not(Or((A, B)), 2)),
        (r'"AND (\"x\") ^2 \\ C:\photos"', Text(r'AND ("x") ^2 \ C:\photos')),
        ('" a "', Text(" a ")),
        ("“a “", Text("a ")),
        ('„a "b" c“ OR ”it\\”s”', Or((Text('a "b" c'), Text("it”s")))),
        ('"“a”"', Text("“a”")),
        ("photo:cat.jpg", PhotoTerm("cat.jpg")),
        ('photo:"my cat (1).jpg"^3', PhotoTerm("my cat (1).jpg", 3)),
        (r"(photo:C:\cats\a.jpg^2 OR b)", Or((PhotoTerm(r"C:\cats\a.jpg", 2), B))),
        ("photo:AND AND Tag:NOT", And((PhotoTerm("AND"), Tag("NOT")))),
        ('tag:"two words" NOT tag:beach', And((Tag("two words"), Not(Tag("beach"))))),
        ("a photo: two cats", Text("a photo: two cats")),
        ("my-tag:x", Text("my-tag:x")),
        ('"a dog" and beach', Text("a dog and beach")),
        ('"a dog" And "a cat" AND b', And((Text("a dog And a cat"), B))),
        ('a or "b" not "c \\"d\\""', Text('a or b not c "d"')),
        ('"dogs" but not people^2 OR b', Or((Text("dogs but not people", 2), B))),
        ('"a" && b | "c"', Text("a && b | c")),
        ("a clock at 12:30, ratio 4:3", Text("a clock at 12:30, ratio 4:3")),
        ("made in: China", Text("made in: China")),
        ("sign:x iso:100", Text("sign:x iso:100")),
        ("tag:two words", And((Tag("two"), Text("words")))),
        ("a tag:x b Tag:y", And((A, Tag("x"), B, Tag("y")))),
        ("a NOT tag:x b", And((A, Not(Tag("x")), B))),
        ("a OR tag:x b", Or((A, And((Tag("x"), B))))),
        ("(a) tag:x^2 (b)", And((A, Tag("x", 2), B))),
        ("(tag:x OR tag:y) a", And((Or((Tag("x"), Tag("y"))), A))),
        ("photo:a.jpg tag:x", And((PhotoTerm("a.jpg"), Tag("x")))),
        ("a date:2024", And((A, Fact("date", Period("2024", "2024"))))),
        ("DATE:2024", Fact("date", Period("2024", "2024"))),
        ("since:2024^3", Fact("date", Period("2024", None), 3)),
        ('near:"a, b",5km^2 c', And((Fact("near", Around("a,b", 5), 2), C))),
        ('place:"New \\"York\\""', Fact("place", Place('New "York"'))),
        ("place:New York", And((Fact("place", Place("New")), Text("York")))),
        (
            "a date:last month b^2",
            And((A, Fact("date", Period("2024-02", "2024-02")), Text("b", 2))),
        ),
        ("since:last\t month (tag:x)", And((Fact("date", Period("2024-02", None)), Tag("x")))),
        ("a date:2024 05 b", And((A, Fact("date", Period("2024", "2024")), Text("05 b")))),
        ("a (tag:x OR tag:y)", And((A, Or((Tag("x"), Tag("y")))))),
        ("a (tag:x NOT tag:y)^2 b", And((A, And((Tag("x"), Not(Tag("y"))), 2), B))),
        ("(a OR b) (NOT (tag:x OR tag:y)) c", And((Or((A, B)), Not(Or((Tag("x"), Tag("y")))), C))),
        ("a OR b ((tag:x))", Or((A, And((B, Tag("x")))))),
    ],
)
def test_what_a_query_says(typed: str, tree: Query) -> None:
    assert parse(typed) == tree


@pytest.mark.parametrize(
    ("typed", "column", "said"),
    [
        ("", 1, "the query is empty"),
        (" \n", 3, "the query is empty"),
        ('a AND ""', 7, '"" has nothing between its quotation marks'),
        ('tag:" "', 1, 'tag:" " has nothing between its quotation marks'),
        ("a AND ()", 7, "nothing between ( and )"),
        ("a AND (b OR", 10, "OR at the end of the query; a term is expected after it"),
        ("a AND (b", 7, "( is never closed"),
        ("(", 1, "( is never closed"),
        ("a)", 2, ") without a ( before it"),
        (")", 1, ") without a ( before it"),
        ('a AND "b', 7, '" is never closed'),
        ('a AND "b\\"', 7, '" is never closed'),
        ("“a", 1, "“ is never closed"),
        ('“a"', 1, "“ is never closed"),
        ('photo:"a', 7, '" is never closed'),
        ("a photo:“b", 9, "“ is never closed"),
        ('camera:="a', 9, '" is never closed'),
        (
            "AND a",
            1,
            "AND at the beginning of the query; a term is expected before it, or quote the "
            'word: "AND"',
        ),
        ("a AND AND b", 7, "AND right after AND"),
        ("a OR AND b", 6, "AND right after OR"),
        ("NOT OR a", 5, "OR right after NOT"),
        ("(OR a)", 2, "OR right after ("),
        ("(a OR)", 4, "OR before )"),
        (
            "a NOT",
            3,
            'NOT at the end of the query; a term is expected after it, or quote the word: "NOT"',
        ),
        ("NOT", 1, "NOT at the end of the query"),
        ('"a" b', 5, "b right after another term"),
        ("a (tag:x OR b)", 3, "( right after another term; write AND, OR or NOT, in capitals"),
        ("a (tag:x", 3, "( right after another term"),
        ("a (date:2024-13)", 9, "there is no date 2024-13"),
        ('"a" but b', 5, "but b right after another term; write AND, OR or NOT, in capitals"),
        ('"a""and b"', 4, '"and b" right after another term'),
        (
            '"a"^2 and b',
            7,
            "and b right after another term; an operator is in capitals, so write AND",
        ),
        ("(a) or b", 5, "or b right after another term; an operator is in capitals, so write OR"),
        (
            "photo:a not b",
            9,
            "not b right after another term; an operator is in capitals, so write NOT",
        ),
        ('a and ""', 7, '"" has nothing between its quotation marks'),
        ('"a""b"', 4, '"b" right after another term'),
        ("(a) b", 5, "b right after another term"),
        ("a^2 b", 5, "b right after another term"),
        ("f(x)", 2, "( right after another term"),
        ('(a "b")', 4, '"b" right after another term'),
        ('a photo:"b"', 3, 'photo:"b" right after another term'),
        ("photo:two words", 11, "words right after another term"),
        ("photo:two words", 11, 'or quote what photo: names, as in photo:"two words"'),
        ("photo:a(1).jpg", 8, "( right after another term"),
        ('a dog folder:"Rom 2019"', 7, "folder: does not begin a term; write in:, or for a"),
        (
            'sign:"b" c',
            1,
            "sign: does not begin a term; those with a colon are photo:, tag:, date:",
        ),
        ("in:", 1, "in: with nothing right after it"),
        ('near:"a', 6, '" is never closed'),
        ('sign: "b"', 7, '"b" right after another term'),
        ("photo:", 1, "photo: with nothing right after it"),
        ("(tag:)", 2, "tag: with nothing right after it"),
        ("^2", 1, "^2 without a term before it"),
        ("a AND ^2", 7, "^2 without a term before it"),
        ("a^", 2, "^ is not a weight"),
        ("a^ 2", 2, "^ is not a weight"),
        ("a^0", 2, "^0 is not a weight"),
        ("a^-1", 2, "^-1 is not a weight"),
        ("a^100.5", 2, "^100.5 is not a weight"),
        ("a^1e1", 2, "^1e1 is not a weight"),
        ("a^inf", 2, "^inf is not a weight"),
        ("a^٣", 2, "^٣ is not a weight"),
        ("a^0." + "0" * 400 + "1", 2, "is not a weight"),
        ("a^" + "9" * 9000, 2, "is not a weight"),
        ("a^1^3", 4, "^3 is a second weight"),
        ("a^2^3", 4, "^3 is a second weight"),
        ("(a^2)^3", 6, "^3 is a second weight"),
        ("(NOT a^2)^3", 10, "^3 is a second weight"),
    ],
)
def test_what_is_refused(typed: str, column: int, said: str) -> None:
    with pytest.raises(QueryError) as caught:
        parse(typed)
    assert isinstance(caught.value, QuerySyntaxError)
    assert caught.value.column == column
    where = f"column {column}: " if typed.strip() else ""
    assert str(caught.value) == f"{where}{caught.value.problem}; {caught.value.remedy}"
    assert said in str(caught.value)


def outcome(typed: str) -> Query | QuerySyntaxError:
    try:
        return parse(typed)
    except QuerySyntaxError as error:
        return error


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("a cat (asleep)", "a cat (asleep)\n      ^"),
        ("", "\n^"),
        ("a\tAND\x1b\nb)", "a AND  b)\n        ^"),
        ("猫 e\u0301)", "猫 e\u0301)\n    ^"),
        ("\udcff)", " )\n ^"),
        ("x" * 99 + ")" + "y" * 99, "…" + "x" * 39 + ")" + "y" * 28 + "…\n" + " " * 40 + "^"),
    ],
)
def test_the_caret_stands_under_the_column(typed: str, shown: str) -> None:
    error = outcome(typed)
    assert isinstance(error, QuerySyntaxError)
    assert error.pointer == shown


def test_an_error_shows_a_long_or_wild_text_in_one_short_line() -> None:
    with pytest.raises(QuerySyntaxError) as caught:
        parse('"a" ' + "b\n\x1b[2J" * 1000)
    assert str(caught.value).startswith("column 5: b  [2Jb  [2Jb  [2Jb  [2Jb  [2… right after")
    assert pickle.loads(pickle.dumps(caught.value)).pointer == caught.value.pointer


def test_nesting_has_a_limit() -> None:
    def nested(times: int) -> str:
        return "(a OR b AND " * times + "c" + ")" * times

    tree = parse(nested(MOST_NESTED))
    assert parse(str(tree)) == tree
    assert parse("NOT " * 100_001 + "a") == Not(A)
    for times in (MOST_NESTED + 1, 100_000):
        with pytest.raises(
            QuerySyntaxError, match="more than 50 parentheses inside each other"
        ) as caught:
            parse(nested(times))
        assert caught.value.column == MOST_NESTED * len("(a OR b AND ") + 1


@pytest.mark.parametrize(
    "typed",
    [
        "a " * 200_000,
        " " * 200_000 + "a" + " " * 200_000 + "AND",
        '"' + "\\" * 200_000,
        '"' + '\\"' * 200_000,
        "a AND " * 60_000,
        "NOT a " * 60_000,
        "photo: a " * 40_000,
        "^" * 200_000,
        ")" * 200_000,
        "“" * 200_000,
    ],
)
def test_long_queries_take_linear_time(typed: str) -> None:
    started = time.perf_counter()
    read = outcome(typed)
    assert not isinstance(read, QuerySyntaxError) or len(read.pointer) < 160
    assert time.perf_counter() - started < 10  # some 0.3 s; a quadratic one would take hours


@pytest.mark.parametrize(("typed", "read"), ROWS, ids=[typed for typed, _ in ROWS])
def test_the_examples_of_the_document(typed: str, read: str) -> None:
    if read.startswith("column "):
        with pytest.raises(QuerySyntaxError) as caught:
            parse(typed)
        assert str(caught.value) == read
    elif read.startswith("note: "):
        parse(typed)
        note = note_on_habits(typed)
        assert note is not None
        assert f"note: {note.spelled(lambda step: step.arguments[0])}" == read  # type: ignore[union-attr]
    else:
        assert str(parse(typed)) == read
        assert str(parse(read)) == read


def test_the_examples_of_facts() -> None:
    rows = re.findall(r"^\| (`[a-z]+:`.*?) \| .*? \| (`.*`) \|$", DOCUMENT, re.MULTILINE)
    named = [name for names, _ in rows for name in re.findall(r"`([a-z]+):`", names)]
    assert sorted(named) == sorted(KINDS)
    for names, examples in rows:
        for example in re.findall(r"`(.+?)`", examples):
            fact = parse(example)
            assert isinstance(fact, Fact), example
            assert f"`{example.partition(':')[0]}:`" in names


def test_the_sentences_and_the_inline_queries_of_the_document() -> None:
    (sentences,) = re.findall(r"```query\n(.*?)```", DOCUMENT, re.DOTALL)
    assert [parse(line) for line in sentences.splitlines()] == [
        Text(line) for line in sentences.splitlines()
    ]
    assert len(ROWS) > 30
    assert (
        str(parse(re.findall(r"sigseek search '(.*)'", DOCUMENT)[0]))
        == '"a dog" AND ("beach" OR "snow") AND NOT "people"'
    )
    assert parse("a dog^2 AND snow") == And((Text("a dog", 2), Text("snow")))
    assert parse("a dog^0.5 OR snow") == Or((Text("a dog", 0.5), Text("snow")))
    assert f"more than {MOST_NESTED} parentheses" in DOCUMENT


def test_terms_are_the_distinct_leaves_without_their_weights() -> None:
    query = parse("dog^2 AND (tag:x OR NOT photo:c.jpg^3 OR dog) NOT (cat OR tag:x)")
    assert terms(query) == (Text("dog"), Tag("x"), PhotoTerm("c.jpg"), Text("cat"))
    assert terms(Text("dog", 2)) == (unweighted(Text("dog", 2)),)


def test_labels() -> None:
    named: list[Leaf] = [
        Text("dog"),
        PhotoTerm("a b/cat.jpg"),
        Tag("two words"),
        Text("tag:x"),
        Text('"x"'),
        Text("place:x"),
        Text("sign:x"),
        Fact("place", Place("x y")),
    ]
    assert [label(leaf) for leaf in named] == [
        "dog",
        "photo:a b/cat.jpg",
        "tag:two words",
        '"tag:x"',
        '"\\"x\\""',
        '"place:x"',
        "sign:x",
        "place:x y",
    ]


texts = st.text(st.characters() | st.sampled_from('"\\^()“”„ \n'), min_size=1, max_size=12).filter(
    str.strip
)
words = texts | st.sampled_from(
    ["AND", "OR", "NOT", "photo:x", "tag:", "=x", "=", "a dog", '\\"', "\\"]
)
weights = (
    st.just(1.0)
    | st.floats(0, 100, exclude_min=True)
    | st.sampled_from([2.0, 0.5, 100.0, 1e-7, 5e-324])
)
leaves = (
    st.builds(Text, words, weights)
    | st.builds(PhotoTerm, words, weights)
    | st.builds(Tag, words, weights)
    | st.builds(
        Fact, st.just("camera"), words.map(partial(parse_name, "camera", otherwise=Camera)), weights
    )
)


def weighted(parts: st.SearchStrategy[Query]) -> st.SearchStrategy[Query]:
    """Return And, Or and Not of the parts, as the parser makes them."""
    groups = st.builds(joined, st.sampled_from([And, Or]), st.lists(parts, min_size=2, max_size=4))
    heavy = st.builds(lambda group, weight: type(group)(group.parts, weight), groups, weights)
    return groups | heavy | parts.map(negated)


trees = st.recursive(leaves, weighted, max_leaves=20)
pieces = st.sampled_from(
    [
        "AND",
        "OR",
        "NOT",
        "(",
        ")",
        '"',
        "“",
        "”",
        "\\",
        "^",
        "^2",
        "^0.5",
        "photo:",
        "tag:",
        "a",
        "b c",
        " ",
    ]
)
raws = (
    st.text()
    | st.lists(pieces | st.text(max_size=3), max_size=15).map("".join)
    | st.lists(pieces, max_size=15).map(" ".join)
)


@given(trees)
def test_a_tree_is_printed_so_that_it_is_read_again(tree: Query) -> None:
    assert parse(str(tree)) == tree


@given(raws)
def test_any_text_is_read_or_refused(typed: str) -> None:
    read = outcome(typed)
    if isinstance(read, QuerySyntaxError):
        assert 1 <= read.column <= len(typed) + 1
        assert str(read).isprintable()
        shown, caret = read.pointer.split("\n")
        assert shown.isprintable()
        assert caret.strip(" ") == "^"
    else:
        assert parse(str(read)) == read
        letters = re.sub(r"\s|[\\()^\"“”„.0-9]|AND|OR|NOT|(?i:photo|tag):", "", typed)
        assert all(letter in str(read) for letter in letters)


@given(words)
def test_quoting_takes_any_text_literally(text: str) -> None:
    assert parse('"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"') == Text(text)


@given(st.lists(leaves.map(unweighted), unique=True, max_size=6))
def test_different_terms_have_different_labels(distinct: list[Leaf]) -> None:
    assert len({label(leaf) for leaf in distinct}) == len(distinct)


def test_paths_may_be_refused() -> None:
    for query in ("a dog AND photo:cat.jpg", 'a dog AND photo:"17"', "a dog AND photo:/etc/17"):
        with pytest.raises(QuerySyntaxError, match="a photo is named by its number") as raised:
            parse(query, photos={})
        assert raised.value.column == 11
    assert parse("tag:beach AND a dog", photos={}) == parse("tag:beach AND a dog")
    named = parse("photo:mine", photos={"mine": Path("/photos/cat.jpg")})
    assert named == PhotoTerm("mine", file="/photos/cat.jpg")
    assert str(named) == 'photo:"mine"'


def test_a_photo_is_named_by_its_number_unless_that_is_quoted() -> None:
    assert parse("photo:17 AND NOT photo:18^2", photos={}) == And(
        (PhotoById(17), Not(PhotoById(18), 2.0))
    )
    assert str(parse("photo:17^2")) == "photo:17^2"
    assert parse('photo:"17"') == PhotoTerm("17")
    assert parse("photo:17.jpg") == PhotoTerm("17.jpg")
    assert {label(PhotoById(17)), label(PhotoTerm("17"))} == {"photo:17", 'photo:"17"'}


@pytest.mark.parametrize(
    ("query", "leaves"),
    [
        ("a", (A,)),
        ("a^2 AND NOT b AND tag:c", (A, Tag("c"))),
        ("a AND (b OR c)", (A,)),
        ("a OR b", ()),
        ("NOT a", ()),
    ],
)
def test_what_every_hit_must_fit(query: str, leaves: tuple[Leaf, ...]) -> None:
    assert required(parse(query)) == leaves

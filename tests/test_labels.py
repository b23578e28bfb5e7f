from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sigseek.search.errors import QueryError
from sigseek.search.labels import (
    Label,
    distinct_labels,
    label_texts,
    parse_label,
    parse_labels,
    read_labels,
)
from sigseek.search.parse import parse
from sigseek.search.query import Tag

FILE = """\
# what the holidays were like

beach = a photo taken at the beach
  night
two words\t
night
 # not a label
E=mc2 = x
#
beach = a photo taken at the beach
"""
KNOWN = (
    Label("beach", "a photo taken at the beach"),
    Label("night"),
    Label("two words"),
    Label("E", "mc2 = x"),
)


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_a_known_file(newline: str) -> None:
    assert parse_labels(FILE.replace("\n", newline)) == KNOWN


def test_what_the_model_reads() -> None:
    assert label_texts(KNOWN[:2], "This is a photo of {}.") == [
        "a photo taken at the beach",
        "This is a photo of night.",
    ]
    assert label_texts([Label("{}")], "{} {}") == ["{} {}"], "a name is put in, not read"
    with pytest.raises(QueryError, match=r"'a photo' has no \{\}"):
        label_texts(KNOWN, "a photo")
    with pytest.raises(QueryError, match="no label; give"):
        label_texts([], "{}")


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("night\n\n = a photo", "line 3: '= a photo' has nothing before its =; write NAME = TEXT"),
        ("night =", "line 1: 'night =' has nothing after its =; write NAME = TEXT"),
        ("night = a\nnight = b", "the label 'night' comes with two different texts; leave it one"),
        ("night\nnight = b", "the label 'night' comes with two different texts; leave it one"),
    ],
)
def test_what_cannot_be_meant(tmp_path: Path, lines: str, said: str) -> None:
    with pytest.raises(QueryError) as parsed:
        parse_labels(lines)
    assert str(parsed.value) == said
    (tmp_path / "labels.txt").write_text(lines)
    with pytest.raises(QueryError) as read:
        read_labels(tmp_path / "labels.txt")
    assert str(read.value) == f"{tmp_path / 'labels.txt'}: {said}"


def test_files(tmp_path: Path) -> None:
    path = tmp_path / "labels.txt"
    for encoding in ("utf-8", "utf-8-sig"):
        path.write_text("Käse\n日本 = a photo of Japan", encoding=encoding)
        assert read_labels(path) == (Label("Käse"), Label("日本", "a photo of Japan"))
    path.write_bytes(b"night\nK\xe4se\n")
    with pytest.raises(QueryError, match=r"labels\.txt is not UTF-8 in line 2; save it as UTF-8"):
        read_labels(path)
    path.write_text("# nothing yet\n\n")
    with pytest.raises(QueryError, match=r"no label in .*; write one on each line"):
        read_labels(path)
    with pytest.raises(QueryError, match=r"cannot read labels from .* \(is a directory\); name"):
        read_labels(tmp_path)


def test_labels_from_python() -> None:
    assert distinct_labels(["a = b", Label("c", "d"), "a = b", "c "]) == (
        Label("a = b"),
        Label("c", "d"),
        Label("c "),
    )
    for empty in ("", " \t", Label("x", " ")):
        with pytest.raises(QueryError, match="an empty label"):
            distinct_labels([empty])
    with pytest.raises(QueryError, match=r"the label 'a\\udcff' is not UTF-8; write"):
        distinct_labels(["a\udcff"])
    with pytest.raises(QueryError, match="3 is not a label; give texts"):
        distinct_labels([3])  # type: ignore[list-item]


words = st.text(min_size=1).map(str.strip).filter(bool)
names = words.filter(
    lambda name: "=" not in name and not name.startswith("#") and not set(name) & set("\r\n\0")
)
texts = words.filter(lambda text: not set(text) & set("\r\n\0"))
labels = st.lists(st.builds(Label, names, st.none() | texts), unique_by=lambda label: label.name)
spaces = st.text(" \t")
ignored = st.lists(
    spaces | st.tuples(spaces, st.text("#ab= ")).map(lambda parts: f"{parts[0]}#{parts[1]}")
)


@given(labels, st.data())
def test_what_was_written_is_read(written: list[Label], data: st.DataObject) -> None:
    lines = []
    for label in written + data.draw(st.lists(st.sampled_from(written))) if written else []:
        before, after, left, right = (data.draw(spaces) for _ in range(4))
        lines += data.draw(ignored)
        lines.append(
            before
            + label.name
            + ("" if label.text is None else f"{left}={right}{label.text}")
            + after
        )
    assert parse_labels("\n".join([*lines, *data.draw(ignored)])) == tuple(written)


@given(st.text(st.sampled_from("ab= #\t\r\n\x0b\x85\u2028é")) | st.text())
def test_any_text_is_read_or_refused_in_a_line(lines: str) -> None:
    try:
        found = parse_labels(lines)
    except QueryError:
        with pytest.raises(QueryError, match=r"\A[^\n\r\x0b\x85\u2028]+; [^\n\r\x0b\x85\u2028]+\Z"):
            parse_labels(lines)
        return
    assert len({label.name for label in found}) == len(found)
    for label in found:
        assert label.name == label.name.strip() != ""
        assert not label.name.startswith("#")
        assert label.text is None or label.text == label.text.strip() != ""


@given(names)
def test_any_label_can_be_asked_for_as_a_tag(name: str) -> None:
    assert parse(str(Tag(parse_label(name).name))) == Tag(name)

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sigseek.evaluation.caption_files import read_captions
from sigseek.evaluation.captions import (
    CaptionedPicture,
    CaptionedPictures,
    CaptionProblem,
    CaptionsError,
)
from tests.photos import save


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a.jpg", "b.jpg", "sub/c.jpg"):
        save(tmp_path / name)
    return tmp_path


def lines(folder: Path, *records: object) -> Path:
    """Return a captions.jsonl of these records; a text stands as it is."""
    text = "\n".join(
        record if isinstance(record, str) else json.dumps(record) for record in records
    )
    (folder / "captions.jsonl").write_text(text, encoding="utf-8")
    return folder / "captions.jsonl"


def test_a_line_a_picture_and_a_line_a_caption(folder: Path) -> None:
    source = lines(
        folder,
        {"file": "a.jpg", "caption": " a house\n", "place": "anything"},
        "",
        {"file": "sub/c.jpg", "captions": ["a cat", "two\u2028cats"]},
        {"file": "a.jpg", "caption": "a red house", "captions": ["a home"]},
        {"file": str(folder / "b.jpg"), "caption": "a house"},
        {"file": "./a.jpg", "caption": "a villa"},
    )
    found = read_captions(source)
    assert found.pictures == (
        CaptionedPicture(folder / "a.jpg", ("a house", "a red house", "a home", "a villa")),
        CaptionedPicture(folder / "sub" / "c.jpg", ("a cat", "two\u2028cats")),
        CaptionedPicture(folder / "b.jpg", ("a house",)),
    )
    assert (found.problems, found.classes) == ((), ())
    assert found.texts == ("a house", "a red house", "a home", "a villa", "a cat", "two\u2028cats")


def test_what_is_wrong_with_a_line_is_told_and_the_rest_read(folder: Path) -> None:
    good = '{"file": "a.jpg", "caption": "a house"}'
    source = lines(
        folder,
        good,
        {"file": "x.jpg", "caption": "a dog"},
        "{nonsense",
        {"file": "a.jpg"},
        {"file": "a.jpg", "caption": "  "},
        good,
        '["a.jpg", "a house"]',
        {"caption": "a house"},
        {"file": "a.jpg", "caption": 7},
        {"file": "a.jpg", "captions": "a house"},
        '{"file": "a.jpg", "caption": "\\ud800"}',
        {"file": "a.jpg", "captions": ["", "a home"]},
        {"file": "sub", "caption": "a folder"},
        {"file": "two\nlines.jpg", "caption": "a dog"},
        "[" * 100_000,
    )
    found = read_captions(source)
    assert found.pictures == (CaptionedPicture(folder / "a.jpg", ("a house", "a home")),)
    assert found.problems == (
        CaptionProblem(2, f"no picture x.jpg in {folder}"),
        CaptionProblem(3, "not JSON: Expecting property name enclosed in double quotes (column 2)"),
        CaptionProblem(4, 'no "caption"'),
        CaptionProblem(5, "caption is empty"),
        CaptionProblem(6, "the same as line 1"),
        CaptionProblem(7, "not a JSON object"),
        CaptionProblem(8, 'no "file"'),
        CaptionProblem(9, "caption is not text"),
        CaptionProblem(10, '"captions" is not a list'),
        CaptionProblem(11, "caption has half a character (a lone surrogate)"),
        CaptionProblem(12, "caption is empty"),
        CaptionProblem(13, f"no picture sub in {folder}"),
        CaptionProblem(14, f"no picture 'two\\nlines.jpg' in {folder}"),
        CaptionProblem(15, "not JSON: nested too deeply"),
    )


def test_files_as_other_systems_write_them(folder: Path) -> None:
    (folder / "captions.jsonl").write_bytes(
        b'\xef\xbb\xbf{"file": "a.jpg", "caption": "a house"}\r\n'
        b'{"file": "b.jpg", "caption": "a dog"}\r\n'
    )
    found = read_captions(folder / "captions.jsonl")
    assert [picture.captions for picture in found.pictures] == [("a house",), ("a dog",)]
    assert found.problems == ()


def test_pictures_in_another_folder(folder: Path) -> None:
    source = lines(folder, {"file": "c.jpg", "caption": "a cat"})
    assert (
        read_captions(source, pictures=folder / "sub").pictures[0].path == folder / "sub" / "c.jpg"
    )
    with pytest.raises(CaptionsError, match=r"there is no folder .*nowhere; give the folder that"):
        read_captions(source, pictures=folder / "nowhere")


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", "no picture with a caption in FILE: the file is empty; give a file of lines"),
        (b"hello\nworld\n", "FILE: line 1: not JSON: Expecting value"),
        (
            b'{"images": [{"id": 1, "file_name": "a.jpg"}], "annotations": []}',
            'FILE: line 1: no "file"',
        ),
        (b'{"file": "x.jpg", "caption": "a house"}', "FILE: line 1: no picture x.jpg in "),
        (b"\xef\xbb\xbfa\nb\ncaf\xe9\n", "FILE is not UTF-8 in line 3; save it as UTF-8"),
    ],
)
def test_files_that_give_nothing(tmp_path: Path, content: bytes, found: str) -> None:
    (tmp_path / "captions.jsonl").write_bytes(content)
    with pytest.raises(CaptionsError, match=found.replace("FILE", r".*captions\.jsonl")) as raised:
        read_captions(tmp_path / "captions.jsonl")
    assert len(str(raised.value).splitlines()) == 1


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CaptionsError, match=r"no file or folder .*nothing\.jsonl; give"):
        read_captions(tmp_path / "nothing.jsonl")
    with pytest.raises(CaptionsError, match=r"a cannot be read \(File name too long\); give"):
        read_captions(tmp_path / ("a" * 300))


def karpathy(folder: Path, images: list[object], name: str = "dataset_coco.json") -> Path:
    (folder / name).write_text(json.dumps({"images": images, "dataset": "coco"}))
    return folder / name


def coco_image(name: str, split: str, *raw: str, **more: object) -> dict[str, object]:
    sentences = [
        {"raw": text, "tokens": text.split(), "imgid": 0, "sentid": number}
        for number, text in enumerate(raw)
    ]
    return {
        "filename": name,
        "imgid": 0,
        "split": split,
        "sentids": [],
        "sentences": sentences,
        **more,
    }


def test_karpathys_splits(folder: Path) -> None:
    source = karpathy(
        folder,
        [
            coco_image("c.jpg", "test", "A cat.", "Two cats.", filepath="sub", cocoid=1),
            coco_image("a.jpg", "train", "A house."),
            coco_image("b.jpg", "test", "A dog.", "A dog.", filepath="val2014"),
            coco_image("x.jpg", "test", "A bird.", filepath="val2014"),
            coco_image("a.jpg", "test"),
            {"split": "test", "sentences": [{"raw": "A fish."}]},
            "odd",
            coco_image("a.jpg", "test", ""),
        ],
    )
    found = read_captions(source)
    assert found.pictures == (
        CaptionedPicture(folder / "sub" / "c.jpg", ("A cat.", "Two cats.")),
        CaptionedPicture(folder / "b.jpg", ("A dog.", "A dog.")),
    )
    assert found.problems == (
        CaptionProblem(None, f"image 4: no picture val2014/x.jpg in {folder}"),
        CaptionProblem(None, 'image 5: no "sentences"'),
        CaptionProblem(None, 'image 6: no "filename"'),
        CaptionProblem(None, "image 7: not a JSON object"),
        CaptionProblem(None, "image 8: caption is empty"),
    )
    assert [picture.path.name for picture in read_captions(source, split="train").pictures] == [
        "a.jpg"
    ]
    with pytest.raises(
        CaptionsError,
        match=r"has no images of the split val; choose one of its splits: test, train",
    ):
        read_captions(source, split="val")


def test_karpathys_pictures_elsewhere(folder: Path) -> None:
    (folder / "splits").mkdir()
    source = karpathy(
        folder / "splits", [coco_image("a.jpg", "test", "A house.")], "dataset_flickr30k.json"
    )
    assert read_captions(source, pictures=folder).pictures == (
        CaptionedPicture(folder / "a.jpg", ("A house.",)),
    )
    with pytest.raises(CaptionsError, match=r"image 1: no picture a\.jpg in"):
        read_captions(source)


def test_class_folders(tmp_path: Path) -> None:
    for name in (
        "dog/2.jpg",
        "dog/1.png",
        "hot_air-balloon/1.jpg",
        ".sigseek/1.jpg",
        "cat/deep/1.JPG",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"not looked into")
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.txt").touch()
    (tmp_path / "_").mkdir()
    found = read_captions(tmp_path)
    assert [
        (str(picture.path.relative_to(tmp_path)), picture.captions) for picture in found.pictures
    ] == [
        ("cat/deep/1.JPG", ("cat",)),
        ("dog/1.png", ("dog",)),
        ("dog/2.jpg", ("dog",)),
        ("hot_air-balloon/1.jpg", ("hot air balloon",)),
    ]
    assert found.classes == found.texts == ("cat", "dog", "hot air balloon")
    assert found.problems == (
        CaptionProblem(None, "the folder name _ names no class"),
        CaptionProblem(None, "no picture in the class folder empty"),
    )


def test_a_folder_without_class_folders(drawn: Path) -> None:
    with pytest.raises(CaptionsError, match=r"no class folder with pictures in .*; give"):
        read_captions(drawn)


def test_the_demos_captions(drawn: Path) -> None:
    found = read_captions(drawn / "captions.jsonl")
    written = [json.loads(line) for line in (drawn / "captions.jsonl").read_text().splitlines()]
    assert found.pictures == tuple(
        CaptionedPicture(drawn / row["file"], (row["caption"],)) for row in written
    )
    assert (len(found.pictures), found.problems) == (40, ())


json_values: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(codec=None), max_size=8)
    | st.just("a.jpg"),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["file", "caption", "captions", "images", "filename", "split"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)


@pytest.fixture(scope="module")
def one_picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(tmp_path_factory.mktemp("one") / "a.jpg").parent


def pictures_or_error(source: Path) -> list[Path]:
    """Return the paths of the pictures read, after a look at what is said of them; none where a
    CaptionsError is raised.
    """
    try:
        found = read_captions(source)
    except CaptionsError as error:
        said = str(error)
    else:
        assert all(caption.strip() and caption.encode() for caption in found.texts)
        assert all(len(problem.reason.splitlines()) == 1 for problem in found.problems)
        return [picture.path for picture in found.pictures]
    assert len(said.splitlines()) == 1
    return []


@given(
    st.lists(
        st.binary(max_size=20) | json_values.map(lambda value: json.dumps(value).encode()),
        max_size=5,
    )
)
def test_whatever_the_lines_only_captions_errors_are_raised(
    one_picture: Path, content: list[bytes]
) -> None:
    source = one_picture / "captions.jsonl"
    source.write_bytes(b"\n".join(content))
    assert pictures_or_error(source) in ([], [one_picture / "a.jpg"])


@given(st.lists(json_values, max_size=3), st.lists(json_values, max_size=3), json_values)
def test_whatever_the_images_only_captions_errors_are_raised(
    one_picture: Path, images: list[Any], raw: list[Any], name: Any
) -> None:
    one = {
        "split": "test",
        "filename": name,
        "filepath": name,
        "sentences": [{"raw": text} for text in raw],
    }
    assert pictures_or_error(karpathy(one_picture, [*images, one])) in ([], [one_picture / "a.jpg"])


def test_a_class_is_asked_for_in_a_sentence_and_a_caption_as_it_is() -> None:
    pictures = (CaptionedPicture(Path("a.jpg"), ("red car",)),)
    assert CaptionedPictures(pictures, classes=("red car",)).queries == (
        "This is a photo of red car.",
    )
    assert CaptionedPictures(pictures).queries == ("red car",)

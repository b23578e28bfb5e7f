import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Literal
from xml.etree import ElementTree

import pytest

from sigseek.evaluation.results import Evaluation, Histogram, Miss, ReliabilityBin
from sigseek.pages.charts import (
    HEIGHT,
    LEFT,
    SIDE,
    TOP,
    WIDTH,
    reliability_diagram,
    round_values,
    score_histogram,
)
from sigseek.pages.evaluation_report import write_report
from tests.photos import save

EVALUATION = Evaluation(
    text_to_image={"R@1": 0.111, "R@5": 0.222, "R@10": 0.333, "mAP": 0.444},
    image_to_text={"R@1": 0.555, "R@5": 0.666, "R@10": 0.777, "mAP": 0.888},
    no_match_auroc=0.912,
    ece=0.012,
    queries=1234,
    images=56,
    zero_shot_accuracy=None,
    ece_before=0.321,
    model="a <model>",
    no_match_auroc_raw=0.851,
    skipped=3,
    latency_ms_p50=12.5,
    reliability_before=(ReliabilityBin(0.25, 0.75, 10),),
    reliability=(ReliabilityBin(0.5, 0.5, 10), ReliabilityBin(1, 0, 5)),
    histogram=Histogram((-10, -5, 0, 5), (0, 1, 9), (99, 0, 0)),
)


def drawn_parts(svg: str, tag: str, name: str) -> list[dict[str, str]]:
    """Return the attributes of the elements of that tag and class."""
    elements = ElementTree.fromstring(svg).iter(f"{{http://www.w3.org/2000/svg}}{tag}")
    return [element.attrib for element in elements if element.get("class") == name]


def test_a_known_bin_gives_a_known_dot() -> None:
    svg = reliability_diagram(EVALUATION.reliability_before, EVALUATION.reliability)
    (before,) = drawn_parts(svg, "circle", "before")
    place = (
        0.5 + math.log(3) / math.log(999) / 2
    )  # of 0.75 on the axis; that of 0.25 is as far from the other end
    x, y, diagonal = LEFT + SIDE * (1 - place), TOP + SIDE * (1 - place), TOP + SIDE * place
    assert (float(before["cx"]), float(before["cy"])) == pytest.approx((x, y), abs=0.06)
    (joined,) = drawn_parts(svg, "line", "before")
    ends = [float(joined[name]) for name in ("x1", "y1", "x2", "y2")]
    assert ends == pytest.approx([x, y, x, diagonal], abs=0.06), "down to the diagonal"
    (ideal, _) = drawn_parts(svg, "line", "ideal")
    assert [float(ideal[name]) for name in ("x1", "y1", "x2", "y2")] == [
        LEFT,
        TOP + SIDE,
        LEFT + SIDE,
        TOP,
    ]
    middle, corner = drawn_parts(svg, "circle", "after")
    left = float(middle["cx"]) - SIDE / 2
    assert left > LEFT + SIDE, "in the second panel"
    assert float(middle["cy"]) == TOP + SIDE / 2
    assert (float(corner["cx"]), float(corner["cy"])) == (left + SIDE, TOP + SIDE), (
        "1 and 0 stand at the ends"
    )


def test_a_known_count_gives_a_known_bar() -> None:
    assert EVALUATION.histogram is not None
    svg = score_histogram(EVALUATION.histogram)
    one, nine = (
        [float(bar[name]) for name in ("x", "y", "width", "height")]
        for bar in drawn_parts(svg, "rect", "matching")
    )
    # 99 pairs are the highest bar, log10(100) = 2; nine are half of it.
    assert nine == pytest.approx(
        [LEFT + WIDTH * 2 / 3, TOP + HEIGHT / 2, WIDTH / 3, HEIGHT / 2], abs=0.06
    )
    height = HEIGHT * math.log10(2) / 2
    assert one == pytest.approx(
        [LEFT + WIDTH / 3, TOP + HEIGHT - height, WIDTH / 3, height], abs=0.06
    )
    (many,) = drawn_parts(svg, "rect", "others")
    assert (float(many["x"]), float(many["height"])) == (LEFT, HEIGHT)
    assert float(many["y"]) > TOP + HEIGHT, "in the second panel"


@pytest.mark.parametrize("count", [1, 9, 10, 1000, 125_000_000])
def test_everything_lies_inside_the_chart(count: int) -> None:
    root = ElementTree.fromstring(score_histogram(Histogram((-3.2, 1.7, 6.6), (1, 0), (0, count))))
    for element in root:
        for names, size in ((("x", "x1", "x2"), "width"), (("y", "y1", "y2"), "height")):
            assert all(
                0 <= float(element.get(name, 0)) <= float(root.get(size, 0)) for name in names
            ), element.attrib
    ticks = [element.text for element in root if element.tag.endswith("text")]
    assert {"-2", "0", "6", "logit", "Pairs that match", "Pairs that do not match"} <= set(ticks)


def test_round_values() -> None:
    assert round_values(-16.2, 4.9) == [-15, -10, -5, 0]
    assert round_values(0, 0.8) == pytest.approx([0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8])
    assert round_values(-5, 5) == [-4, -2, 0, 2, 4]


def test_the_page(tmp_path: Path) -> None:
    right, first = save(tmp_path / "right & wrong.jpg", seed=1), save(tmp_path / "b.jpg", seed=2)
    misses = (
        Miss("a <b>bold</b> cat", right, 1234, 0.015, first, 0.987),
        Miss("a dog", tmp_path / "gone.jpg", 2, 0.5, first, 0.6),
    )
    write_report(tmp_path / "report.html", replace(EVALUATION, misses=misses))
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert page.count("data:image/jpeg;base64,") == 3
    assert "The file is missing." in page
    assert not re.search(r"""(src|href)=["'](?!data:|file:)|url\(|@import|<script|<link""", page), (
        "opens offline"
    )
    assert "a &lt;b&gt;bold&lt;/b&gt; cat" in page
    assert "<title>How well a &lt;model&gt; finds pictures</title>" in page
    assert "right &amp; wrong.jpg" in page
    assert "its picture, place 1,234, probability 0.015</p>" in page
    assert "first instead, probability 0.987" in page
    assert "1,234 captions of 56 pictures. 3 could not be used." in page
    assert re.findall(r"<td>(0\.\d{3})</td>", page)[:8] == [
        f"0.{digit * 3}" for digit in "12345678"
    ]
    assert re.findall(r'<tr><th>([^<]+)</th><td>([\d.]+)</td><td class="note"', page) == [
        ("no-match AUROC", "0.912"),
        ("no-match AUROC, raw", "0.851"),
        ("ECE", "0.012"),
        ("ECE of the sigmoid alone", "0.321"),
        ("query, median, ms", "12.500"),
    ]
    assert len(re.findall(r"<svg.*?</svg>", page, re.DOTALL)) == 2
    assert "prefers-color-scheme: dark" in page
    assert [path.name for path in sorted(tmp_path.glob("*"))] == [
        "b.jpg",
        "report.html",
        "right & wrong.jpg",
    ]


def test_a_page_of_figures_alone(tmp_path: Path) -> None:
    bare = replace(EVALUATION, reliability_before=(), reliability=(), histogram=None, skipped=0)
    write_report(tmp_path / "report.html", bare)
    page = (tmp_path / "report.html").read_text()
    assert re.findall(r"<h2>(.*?)</h2>", page) == ["Figures"]
    assert "could not be used" not in page
    with pytest.raises(FileNotFoundError):
        write_report(tmp_path / "nowhere" / "report.html", bare)


@pytest.mark.parametrize(
    ("calibration", "said"),
    [("given", "the checkpoint's calibration"), ("cross-fitted", "the other half")],
)
def test_where_the_calibration_is_from(
    tmp_path: Path, calibration: Literal["given", "cross-fitted"], said: str
) -> None:
    write_report(
        tmp_path / "report.html",
        replace(EVALUATION, calibration=calibration, queries=1, images=1, skipped=1),
    )
    page = (tmp_path / "report.html").read_text()
    assert re.search(
        f"1 caption of 1 picture. 1 could not be used. Probabilities by .*{said}", page
    )

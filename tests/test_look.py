"""The colours that all pages share: whether everybody can read them."""

import re
from itertools import product

import pytest

from tests.conftest import ROOT

LOOK = (ROOT / "sigseek" / "web" / "page" / "look.css").read_text("utf-8")
TEXT = 4.5
"""The contrast that WCAG 2 asks of text, level AA."""
GRAPHIC = 3.0
"""The contrast that it asks of what shows a control's edge or a state."""


def colors(scheme: str) -> dict[str, str]:
    """Return the colours of the scheme by the names of their variables."""
    light, dark = LOOK.split("@media (prefers-color-scheme: dark)")
    found = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", light))
    if scheme == "dark":
        others = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", dark))
        assert others.keys() == found.keys()
        return others
    return found


def luminance(color: str) -> float:
    levels = [int(color[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [
        level / 12.92 if level <= 0.04045 else ((level + 0.055) / 1.055) ** 2.4 for level in levels
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def test_the_contrast_of_known_colours() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.005)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everything_can_be_read(scheme: str) -> None:
    of = colors(scheme)
    pairs = [
        *product(("text", "text-soft", "accent"), ("ground", "raised", "sunken")),
        ("on-accent", "accent"),
        ("text", "accent-ground"),
        ("accent", "accent-ground"),
        *product(("warning", "error"), ("ground", "raised")),
        ("warning", "warning-ground"),
        ("error", "error-ground"),
    ]
    poor = [pair for pair in pairs if contrast(of[pair[0]], of[pair[1]]) < TEXT]
    edges = product(("line-strong",), ("ground", "raised", "sunken"))
    poor += [pair for pair in edges if contrast(of[pair[0]], of[pair[1]]) < GRAPHIC]
    assert poor == []

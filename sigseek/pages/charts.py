"""The report's two charts, as SVG drawn here: sizes in pixels, colours from the page's style."""

import math
from collections.abc import Sequence

from sigseek.evaluation.results import Histogram, ReliabilityBin
from sigseek.results import counted

STYLE = """
svg { font: 12px var(--font); height: auto; max-width: 100%; }
svg { --before: var(--warning); --after: var(--accent); }
svg text { fill: currentColor; }
svg .axis { stroke: currentColor; opacity: .6; }
svg .grid { stroke: currentColor; opacity: .15; }
svg .ideal { stroke: currentColor; stroke-dasharray: 4 4; opacity: .5; }
svg .before { fill: var(--before); stroke: var(--before); }
svg .after { fill: var(--after); stroke: var(--after); }
svg .matching { fill: currentColor; }
svg .others { fill: currentColor; opacity: .45; }
svg rect { stroke: none; }
svg line.before, svg line.after { opacity: .55; stroke-width: 2; }"""

SIDE = 260
"""The side of a reliability panel's square. A histogram's panel is WIDTH x HEIGHT."""
WIDTH, HEIGHT = 640, 130
LEFT, TOP, GAP = 52, 30, 80
_PROBABILITIES = (0.001, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999)
"""The probabilities at the ticks. They are spaced by logit, because most are tiny: on an even axis
their dots would lie on each other.
"""


def reliability_diagram(before: Sequence[ReliabilityBin], after: Sequence[ReliabilityBin]) -> str:
    """Draw two panels, before and after calibration. Each bin is a dot at its probability and the
    share of it that matches.

    A line joins the dot with the diagonal, where the two would agree.
    """
    panels = [
        _reliability_panel(LEFT + number * (SIDE + GAP), name, title, bins)
        for number, (name, title, bins) in enumerate(
            (("before", "SigLIP's sigmoid", before), ("after", "After calibration", after))
        )
    ]
    return _svg(
        LEFT + 2 * SIDE + GAP + 20,
        TOP + SIDE + 50,
        "Reliability before and after calibration",
        panels,
    )


def _reliability_panel(left: int, name: str, title: str, bins: Sequence[ReliabilityBin]) -> str:
    bottom, right = TOP + SIDE, left + SIDE
    parts = [_text(left, TOP - 12, title, "start"), _line(left, bottom, right, TOP, "ideal")]
    for tick in _PROBABILITIES:
        x, y = left + along(tick) * SIDE, bottom - along(tick) * SIDE
        parts += [
            _line(left, y, right, y, "grid"),
            _text(left - 6, y + 4, f"{tick:g}", "end"),
            _text(x, bottom + 16, f"{tick:g}"),
        ]
    parts += [_line(left, bottom, right, bottom, "axis"), _line(left, bottom, left, TOP, "axis")]
    parts.append(_text(left + SIDE / 2, bottom + 36, "probability (up: share that matches)"))
    for pool in bins:
        x, y, ideal = (
            left + along(pool.probability) * SIDE,
            bottom - along(pool.matching) * SIDE,
            bottom - along(pool.probability) * SIDE,
        )
        shares = f"probability {pool.probability:.3f}, {pool.matching:.3f} match"
        note = f"{counted(pool.count, 'pair')}: {shares}"
        parts.append(_line(x, y, x, ideal, name))
        parts.append(
            f'<circle class="{name}" cx="{x:.1f}" cy="{y:.1f}" r="4"><title>{note}</title></circle>'
        )
    return "\n".join(parts)


def along(probability: float) -> float:
    """Return where a probability stands on an axis, 0 to 1, spaced by logit. What is beyond the
    first or last tick stands on that tick.
    """
    low, high = _PROBABILITIES[0], _PROBABILITIES[-1]
    held = min(max(probability, low), high)
    return (_logit(held) - _logit(low)) / (_logit(high) - _logit(low))


def _logit(probability: float) -> float:
    return math.log(probability / (1 - probability))


def score_histogram(histogram: Histogram) -> str:
    """Draw two panels over one axis of logits: pairs that match above, the others below, their
    numbers on a logarithmic scale.

    A bar of n pairs is log10(1 + n) high, so that one pair can still be seen.
    """
    highest = max((1, *histogram.matching, *histogram.others))
    panels = [
        _counts_panel(TOP, "Pairs that match", "matching", histogram.matching, highest),
        _counts_panel(
            2 * TOP + HEIGHT + 10, "Pairs that do not match", "others", histogram.others, highest
        ),
        _logit_ticks(2 * TOP + 2 * HEIGHT + 10, histogram.edges[0], histogram.edges[-1]),
    ]
    return _svg(
        LEFT + WIDTH + 20, 2 * (TOP + HEIGHT) + 60, "Pairs of caption and picture by logit", panels
    )


def _counts_panel(top: int, title: str, name: str, counts: Sequence[int], highest: int) -> str:
    bottom, unit, width = top + HEIGHT, HEIGHT / math.log10(1 + highest), WIDTH / len(counts)
    parts = [_text(LEFT, top - 10, title, "start")]
    for power in range(len(str(highest))):
        y = bottom - math.log10(1 + 10**power) * unit
        parts += [
            _line(LEFT, y, LEFT + WIDTH, y, "grid"),
            _text(LEFT - 6, y + 4, _short(10**power), "end"),
        ]
    for number, count in enumerate(counts):
        if count:
            height = math.log10(1 + count) * unit
            corner = f'x="{LEFT + number * width:.1f}" y="{bottom - height:.1f}"'
            box = f'{corner} width="{width:.1f}" height="{height:.1f}"'
            parts.append(
                f'<rect class="{name}" {box}><title>{counted(count, "pair")}</title></rect>'
            )
    parts.append(_line(LEFT, bottom, LEFT + WIDTH, bottom, "axis"))
    return "\n".join(parts)


def _logit_ticks(bottom: int, low: float, high: float) -> str:
    ticks = [
        _text(LEFT + (value - low) / (high - low) * WIDTH, bottom + 16, f"{value:g}")
        for value in round_values(low, high)
    ]
    return "\n".join([*ticks, _text(LEFT + WIDTH / 2, bottom + 36, "logit")])


def round_values(low: float, high: float, most: int = 8) -> list[float]:
    """Return at most `most` + 1 multiples of 1, 2 or 5 times a power of ten from low to high, which
    is greater.
    """
    rough = (high - low) / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)
    return [
        round(number * step, 9)
        for number in range(math.ceil(low / step), math.floor(high / step) + 1)
    ]


def _short(count: int) -> str:
    """Return a power of ten as an axis shows it."""
    for limit, unit in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if count >= limit:
            return f"{count // limit}{unit}"
    return str(count)


def _svg(width: int, height: int, label: str, parts: Sequence[str]) -> str:
    size = f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size}'
    body = "\n".join(parts)
    return f'{head} role="img" aria-label="{label}">\n{body}\n</svg>'


def _line(x1: float, y1: float, x2: float, y2: float, name: str) -> str:
    return f'<line class="{name}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _text(x: float, y: float, words: str, anchor: str = "middle") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{words}</text>'

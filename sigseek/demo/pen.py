"""A pen that draws in fractions of a box. A shape is written once and can be drawn in any size,
mirrored or shaded.
"""

from dataclasses import dataclass

from PIL import ImageDraw

RGB = tuple[int, int, int]
Point = tuple[float, float]


def shade(color: RGB, factor: float) -> RGB:
    """Make the colour darker (factor below 1) or lighter (above 1)."""
    red, green, blue = (max(0, min(255, round(channel * factor))) for channel in color)
    return red, green, blue


def blend(one: RGB, other: RGB, share: float) -> RGB:
    """Replace `share` (0 to 1) of `one` by `other`."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return red, green, blue


@dataclass(frozen=True)
class Pen:
    """A pen for the box (left, top, side), in pixels. Points are fractions of the box, and (0, 0)
    is its upper left corner.

    `main` is the object's own colour and `outline` sets it off from the background. Parts with
    fixed colours pass through `lit`, which applies the light of the scene.
    """

    draw: ImageDraw.ImageDraw
    left: float
    top: float
    side: float
    main: RGB
    outline: RGB
    light: tuple[float, float, float]
    mirrored: bool = False

    def polygon(self, points: list[Point], fill: RGB | None = None) -> None:
        """Draw a filled polygon with the outline, in the main colour unless `fill` is given."""
        self.draw.polygon(
            [self._at(p) for p in points], fill or self.main, self.outline, width=self._width(0.025)
        )

    def ellipse(self, x0: float, y0: float, x1: float, y1: float, fill: RGB | None = None) -> None:
        """Draw a filled ellipse in the rectangle."""
        self.draw.ellipse(
            self._box(x0, y0, x1, y1), fill or self.main, self.outline, width=self._width(0.025)
        )

    def rectangle(
        self, x0: float, y0: float, x1: float, y1: float, fill: RGB | None = None
    ) -> None:
        """Draw a filled rectangle."""
        self.draw.rectangle(
            self._box(x0, y0, x1, y1), fill or self.main, self.outline, width=self._width(0.025)
        )

    def pieslice(
        self,
        x0: float,
        y0: float,
        x1: float,
        y1: float,
        start: float,
        end: float,
        fill: RGB | None = None,
    ) -> None:
        """Draw a filled slice of the ellipse in the rectangle, with angles in degrees clockwise
        from three o'clock.
        """
        if self.mirrored:
            start, end = 180 - end, 180 - start
        self.draw.pieslice(
            self._box(x0, y0, x1, y1),
            start,
            end,
            fill or self.main,
            self.outline,
            width=self._width(0.025),
        )

    def ring(self, x0: float, y0: float, x1: float, y1: float, width: float, color: RGB) -> None:
        """Draw only the rim of an ellipse."""
        self.draw.ellipse(self._box(x0, y0, x1, y1), None, color, width=self._width(width))

    def line(self, points: list[Point], width: float = 0.04, color: RGB | None = None) -> None:
        """Draw a line through the points, in the outline's colour unless `color` is given."""
        self.draw.line(
            [self._at(p) for p in points], color or self.outline, self._width(width), joint="curve"
        )

    def lit(self, color: RGB) -> RGB:
        """Return the colour of a fixed part in the light of the scene."""
        red, green, blue = (
            round(channel * factor) for channel, factor in zip(color, self.light, strict=True)
        )
        return red, green, blue

    def _at(self, point: Point) -> Point:
        x = 1 - point[0] if self.mirrored else point[0]
        return self.left + x * self.side, self.top + point[1] * self.side

    def _box(self, x0: float, y0: float, x1: float, y1: float) -> tuple[float, float, float, float]:
        (ax, ay), (bx, by) = self._at((x0, y0)), self._at((x1, y1))
        return min(ax, bx), min(ay, by), max(ax, bx), max(ay, by)

    def _width(self, fraction: float) -> int:
        return max(1, round(fraction * self.side))

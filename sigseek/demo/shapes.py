"""The eighteen kinds of objects. One function draws each into a pen's unit box."""

from collections.abc import Callable
from math import cos, pi, sin

from sigseek.demo.pen import RGB, Pen, Point, shade

GLASS: RGB = (190, 225, 240)
RUBBER: RGB = (40, 40, 45)
STEEL: RGB = (120, 125, 135)
WOOD: RGB = (120, 80, 45)
CREAM: RGB = (240, 232, 205)
LEAF: RGB = (60, 140, 60)
BEAK: RGB = (240, 150, 40)


def house(pen: Pen) -> None:
    pen.rectangle(0.1, 0.45, 0.9, 1.0)
    pen.polygon([(0.0, 0.47), (0.5, 0.05), (1.0, 0.47)], shade(pen.main, 0.7))
    pen.rectangle(0.42, 0.68, 0.6, 1.0, pen.lit(WOOD))
    for x in (0.17, 0.68):
        pen.rectangle(x, 0.57, x + 0.16, 0.73, pen.lit(GLASS))


def car(pen: Pen) -> None:
    pen.polygon([(0.2, 0.6), (0.32, 0.38), (0.68, 0.38), (0.82, 0.6)])
    pen.polygon([(0.28, 0.59), (0.36, 0.43), (0.64, 0.43), (0.74, 0.59)], pen.lit(GLASS))
    pen.rectangle(0.02, 0.58, 0.98, 0.84)
    for x in (0.12, 0.64):
        pen.ellipse(x, 0.72, x + 0.24, 0.96, pen.lit(RUBBER))


def bus(pen: Pen) -> None:
    pen.rectangle(0.0, 0.15, 1.0, 0.86)
    for x in (0.05, 0.29, 0.53, 0.77):
        pen.rectangle(x, 0.25, x + 0.18, 0.48, pen.lit(GLASS))
    for x in (0.14, 0.64):
        pen.ellipse(x, 0.76, x + 0.22, 0.98, pen.lit(RUBBER))


def sailboat(pen: Pen) -> None:
    pen.line([(0.5, 0.05), (0.5, 0.8)], 0.04, pen.lit(WOOD))
    pen.polygon([(0.46, 0.05), (0.46, 0.72), (0.05, 0.72)])
    pen.polygon([(0.54, 0.15), (0.54, 0.72), (0.92, 0.72)])
    pen.polygon([(0.0, 0.78), (1.0, 0.78), (0.82, 0.98), (0.18, 0.98)], pen.lit(WOOD))


def lighthouse(pen: Pen) -> None:
    pen.polygon([(0.38, 0.28), (0.62, 0.28), (0.72, 1.0), (0.28, 1.0)])
    pen.polygon([(0.35, 0.55), (0.65, 0.55), (0.67, 0.7), (0.33, 0.7)], pen.lit(CREAM))
    pen.rectangle(0.38, 0.12, 0.62, 0.28, (255, 240, 130))
    pen.polygon([(0.34, 0.13), (0.5, 0.0), (0.66, 0.13)])
    pen.rectangle(0.32, 0.26, 0.68, 0.31, pen.lit(STEEL))


def balloon(pen: Pen) -> None:
    pen.line([(0.28, 0.6), (0.42, 0.82)], 0.02)
    pen.line([(0.72, 0.6), (0.58, 0.82)], 0.02)
    pen.ellipse(0.12, 0.0, 0.88, 0.72)
    pen.ellipse(0.38, 0.0, 0.62, 0.72, shade(pen.main, 0.75))
    pen.rectangle(0.4, 0.82, 0.6, 1.0, pen.lit(WOOD))


def umbrella(pen: Pen) -> None:
    pen.line([(0.5, 0.5), (0.5, 0.9), (0.58, 0.97), (0.66, 0.9)], 0.045, pen.lit(STEEL))
    pen.pieslice(0.0, 0.08, 1.0, 1.0, 180, 360)
    pen.pieslice(0.3, 0.08, 0.7, 1.0, 180, 360, shade(pen.main, 0.75))


def tent(pen: Pen) -> None:
    pen.polygon([(0.0, 1.0), (0.5, 0.2), (1.0, 1.0)])
    pen.polygon([(0.32, 1.0), (0.5, 0.45), (0.68, 1.0)], pen.lit(RUBBER))
    pen.line([(0.5, 0.2), (0.5, 0.08)], 0.03)


def bicycle(pen: Pen) -> None:
    for x in (0.0, 0.58):
        pen.ring(x, 0.5, x + 0.42, 0.92, 0.05, pen.lit(RUBBER))
    frame: list[Point] = [(0.21, 0.71), (0.34, 0.42), (0.7, 0.42), (0.48, 0.71), (0.21, 0.71)]
    pen.line(frame, 0.075, pen.main)
    pen.line([(0.34, 0.42), (0.48, 0.71)], 0.075, pen.main)
    pen.line([(0.79, 0.71), (0.68, 0.28), (0.84, 0.24)], 0.075, pen.main)
    pen.line([(0.34, 0.42), (0.31, 0.32)], 0.05, pen.main)
    pen.line([(0.22, 0.31), (0.42, 0.31)], 0.06, pen.lit(RUBBER))


def airplane(pen: Pen) -> None:
    pen.polygon([(0.04, 0.46), (0.0, 0.2), (0.1, 0.2), (0.22, 0.44)])
    pen.polygon([(0.42, 0.42), (0.3, 0.14), (0.42, 0.14), (0.62, 0.42)], shade(pen.main, 0.8))
    pen.ellipse(0.02, 0.38, 1.0, 0.62)
    pen.polygon([(0.38, 0.54), (0.6, 0.54), (0.4, 0.9), (0.27, 0.9)], shade(pen.main, 0.8))
    for x in (0.28, 0.42, 0.56, 0.7):
        pen.ellipse(x, 0.43, x + 0.07, 0.5, pen.lit(GLASS))


def kite(pen: Pen) -> None:
    pen.line([(0.5, 0.68), (0.42, 0.78), (0.54, 0.86), (0.44, 0.99)], 0.03)
    pen.polygon([(0.5, 0.0), (0.82, 0.28), (0.5, 0.7), (0.18, 0.28)])
    pen.polygon([(0.5, 0.0), (0.82, 0.28), (0.5, 0.28)], shade(pen.main, 0.7))
    pen.polygon([(0.5, 0.7), (0.18, 0.28), (0.5, 0.28)], shade(pen.main, 0.7))


def mushroom(pen: Pen) -> None:
    pen.polygon([(0.38, 0.5), (0.62, 0.5), (0.68, 1.0), (0.32, 1.0)], pen.lit(CREAM))
    pen.pieslice(0.05, 0.08, 0.95, 1.02, 180, 360)
    for x, y in ((0.24, 0.34), (0.46, 0.2), (0.66, 0.36)):
        pen.ellipse(x, y, x + 0.13, y + 0.12, pen.lit(CREAM))


def flower(pen: Pen) -> None:
    pen.line([(0.5, 0.4), (0.5, 1.0)], 0.05, pen.lit(LEAF))
    pen.ellipse(0.5, 0.72, 0.76, 0.84, pen.lit(LEAF))
    pen.ellipse(0.24, 0.8, 0.5, 0.92, pen.lit(LEAF))
    for step in range(6):
        x, y = 0.5 + 0.21 * cos(step * pi / 3), 0.32 + 0.21 * sin(step * pi / 3)
        pen.ellipse(x - 0.14, y - 0.14, x + 0.14, y + 0.14)
    pen.ellipse(0.4, 0.22, 0.6, 0.42, pen.lit((250, 205, 60)))


def butterfly(pen: Pen) -> None:
    for left in (True, False):

        def at(points: list[Point], left: bool = left) -> list[Point]:
            return points if left else [(1 - x, y) for x, y in points]

        pen.polygon(at([(0.48, 0.5), (0.3, 0.14), (0.02, 0.1), (0.06, 0.45)]))
        pen.polygon(
            at([(0.48, 0.52), (0.1, 0.55), (0.14, 0.86), (0.38, 0.88)]), shade(pen.main, 0.8)
        )
        pen.line(at([(0.49, 0.28), (0.38, 0.08)]), 0.025, pen.lit(RUBBER))
    pen.ellipse(0.45, 0.24, 0.55, 0.86, pen.lit(RUBBER))


def cat(pen: Pen) -> None:
    pen.line([(0.72, 0.9), (0.95, 0.85), (0.97, 0.55)], 0.09, pen.main)
    pen.ellipse(0.22, 0.45, 0.8, 1.0)
    pen.polygon([(0.2, 0.3), (0.22, 0.0), (0.42, 0.16)])
    pen.polygon([(0.76, 0.3), (0.74, 0.0), (0.54, 0.16)])
    pen.ellipse(0.18, 0.1, 0.78, 0.58)
    for x in (0.31, 0.54):
        pen.ellipse(x, 0.26, x + 0.11, 0.38, (190, 230, 90))
    pen.polygon([(0.44, 0.42), (0.52, 0.42), (0.48, 0.48)], (230, 130, 140))


def duck(pen: Pen) -> None:
    pen.polygon([(0.0, 0.5), (0.2, 0.6), (0.12, 0.8)])
    pen.ellipse(0.05, 0.48, 0.78, 0.95)
    pen.polygon([(0.82, 0.22), (1.0, 0.3), (0.82, 0.36)], pen.lit(BEAK))
    pen.ellipse(0.52, 0.08, 0.86, 0.46)
    pen.polygon([(0.54, 0.36), (0.8, 0.4), (0.76, 0.64), (0.5, 0.6)])
    pen.ellipse(0.69, 0.18, 0.76, 0.25, pen.lit(RUBBER))
    pen.ellipse(0.2, 0.56, 0.56, 0.8, shade(pen.main, 0.8))


def chair(pen: Pen) -> None:
    pen.rectangle(0.18, 0.0, 0.28, 1.0)
    pen.rectangle(0.18, 0.06, 0.34, 0.5)
    pen.rectangle(0.18, 0.52, 0.84, 0.64)
    pen.rectangle(0.74, 0.6, 0.84, 1.0)


def windmill(pen: Pen) -> None:
    pen.polygon([(0.36, 0.4), (0.64, 0.4), (0.74, 1.0), (0.26, 1.0)])
    pen.rectangle(0.43, 0.76, 0.57, 1.0, pen.lit(WOOD))
    for step in range(4):
        angle = pi / 5 + step * pi / 2
        across = (-0.07 * sin(angle), 0.07 * cos(angle))
        tip = (0.5 + 0.42 * cos(angle), 0.38 + 0.42 * sin(angle))
        hub = (0.5 + 0.08 * cos(angle), 0.38 + 0.08 * sin(angle))
        pen.polygon(
            [
                hub,
                tip,
                (tip[0] + across[0], tip[1] + across[1]),
                (hub[0] + across[0], hub[1] + across[1]),
            ],
            pen.lit(CREAM),
        )
    pen.ellipse(0.44, 0.32, 0.56, 0.44, pen.lit(STEEL))


SHAPES: dict[str, Callable[[Pen], None]] = {
    shape.__name__: shape
    for shape in (
        house,
        car,
        bus,
        sailboat,
        lighthouse,
        balloon,
        umbrella,
        tent,
        bicycle,
        airplane,
        kite,
        mushroom,
        flower,
        butterfly,
        cat,
        duck,
        chair,
        windmill,
    )
}

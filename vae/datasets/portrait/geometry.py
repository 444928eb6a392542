"""The shape of a head, and smooth curves through points.

A portrait is drawn on a square of 100 units. Its head is round: what lies on it has a longitude
and a latitude, so that it moves, narrows and disappears as a head's features do when it turns.
"""

__all__ = ["Head", "Point", "blob", "curve", "line", "smoothstep"]

import math
from collections.abc import Sequence
from dataclasses import dataclass

Point = tuple[float, float]


def smoothstep(low: float, high: float, value: float) -> float:
    """0 up to ``low``, 1 from ``high``, and smooth between."""
    share = min(max((value - low) / (high - low), 0.0), 1.0)
    return share * share * (3 - 2 * share)


@dataclass(frozen=True)
class Head:
    """A head that may be turned.

    Arguments:
        x: Its middle, across.
        y: Its middle, downwards.
        wide: Half its width.
        high: Half its height.
        jaw: Half the width of its jaw, as a share of ``wide``.
        turn: Radians that it looks to our right.
    """

    x: float
    y: float
    wide: float
    high: float
    jaw: float
    turn: float

    def at(self, longitude: float, latitude: float, out: float = 1.0) -> Point:
        """A point on it, or so many times as far out; behind it, its edge."""
        angle = min(max(longitude + self.turn, -math.pi / 2), math.pi / 2)
        radius = self.wide * out * math.cos(latitude * 0.75)
        return self.x + radius * math.sin(angle), self.y - self.high * out * math.sin(latitude)

    def narrowed(self, longitude: float) -> float:
        """How wide something there looks, against what it would be straight ahead."""
        return max(math.cos(longitude + self.turn), 0.0)

    def contour(self, out: float = 0.0) -> list[Point]:
        """Its outline, so much further out, clockwise from its top."""
        sine = math.sin(self.turn)
        side = (
            (0.0, -1.0),
            (0.55, -0.86),
            (0.9, -0.46),
            (1.0, -0.02),
            (0.95, 0.34),
            (self.jaw, 0.69),
            (self.jaw * 0.56, 0.93),
            (0.0, 1.0),
        )
        right = [(across, down) for across, down in side]
        left = [(-across, down) for across, down in side[-2:0:-1]]
        points = []
        for across, down in (*right, *left):
            # The chin comes forward, the back of the head goes back.
            shift = sine * (0.5 * smoothstep(-0.3, 1.0, down) - 0.05)
            across *= 1 - 0.06 * sine * (1 if across > 0 else -1)
            x = self.x + (self.wide + out) * across + self.wide * shift
            points.append((x, self.y + (self.high + out) * down))
        return points


def curve(points: Sequence[Point], closed: bool = False) -> str:
    """A smooth path through points (Catmull and Rom's spline), as SVG writes it."""
    count = len(points)
    parts = [f"M{points[0][0]:.2f} {points[0][1]:.2f}"]
    for index in range(count if closed else count - 1):
        if closed:
            before, start = points[index - 1], points[index]
            end, after = points[(index + 1) % count], points[(index + 2) % count]
        else:
            before, start = points[max(index - 1, 0)], points[index]
            end, after = points[index + 1], points[min(index + 2, count - 1)]
        parts.append(
            f"C{start[0] + (end[0] - before[0]) / 6:.2f} {start[1] + (end[1] - before[1]) / 6:.2f}"
            f" {end[0] - (after[0] - start[0]) / 6:.2f} {end[1] - (after[1] - start[1]) / 6:.2f}"
            f" {end[0]:.2f} {end[1]:.2f}"
        )
    return "".join(parts) + ("Z" if closed else "")


def line(points: Sequence[Point]) -> str:
    """The rest of a path, smooth through points, that goes on from where one has come."""
    path = curve(points)
    return "L" + path[1:]


def blob(x: float, y: float, radius: float, bumps: int, depth: float) -> str:
    """A round shape with bumps, as a cloud or a head of curls has."""
    points = []
    for index in range(bumps * 2):
        angle = math.pi * index / bumps
        reach = radius * (1 + (depth if index % 2 else -depth))
        points.append((x + reach * math.sin(angle), y - reach * math.cos(angle)))
    return curve(points, closed=True)

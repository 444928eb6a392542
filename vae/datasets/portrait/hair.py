"""Hair, in two layers: what lies behind the face and what lies before it."""

__all__ = ["KINDS", "hair"]

import math
from collections.abc import Callable

from vae.datasets.portrait.geometry import Head, Point, blob, curve, line
from vae.datasets.portrait.paint import Paint

Layers = tuple[str, str]

# Where hair begins, from our right to our left: longitude and latitude.
SHORT = ((1.5, -0.12), (1.28, -0.1), (1.16, 0.2), (0.98, 0.5), (0.5, 0.68), (0.0, 0.71))
SHORT += tuple((-longitude, latitude) for longitude, latitude in SHORT[4::-1])
FRINGE = ((1.5, -0.5), (1.25, -0.45), (1.12, 0.06), (0.98, 0.36), (0.78, 0.31), (0.7, 0.4))
FRINGE += ((0.4, 0.36), (0.3, 0.45), (0.02, 0.39), (-0.1, 0.45), (-0.36, 0.37), (-0.5, 0.42))
FRINGE += ((-0.72, 0.32), (-0.9, 0.37), (-1.12, 0.06), (-1.25, -0.45), (-1.5, -0.5))
PARTED = ((1.5, -0.5), (1.3, -0.4), (1.18, 0.0), (0.98, 0.36), (0.55, 0.7), (0.0, 0.98))
PARTED += tuple((-longitude, latitude) for longitude, latitude in PARTED[4::-1])
SIDE = ((1.5, -0.5), (1.3, -0.4), (1.18, 0.0), (0.98, 0.44), (0.72, 0.74), (0.5, 0.95))
SIDE += ((0.1, 0.66), (-0.4, 0.5), (-0.85, 0.34), (-1.15, 0.0), (-1.3, -0.4), (-1.5, -0.5))


def hair(style: str, head: Head, length: float, paint: Paint) -> Layers:
    """A style's two layers as SVG.

    Arguments:
        style: One of :data:`KINDS`.
        head: Whose it is.
        length: From 0, the shortest that this style can be, to 1.
        paint: What it is painted with.
    """
    return STYLES[style](head, length, paint)


def cap(
    head: Head,
    hairline: tuple[Point, ...],
    top: float,
    side: float,
    lean: float = 0.0,
    low: float = 0.14,
) -> str:
    """What covers the skull, from its outline to where hair begins, as a path.

    Arguments:
        top: How far the hair stands out on top.
        side: How far it does at the sides.
        lean: How far the top leans to our right.
        low: Radians that it reaches further down at the sides.
    """
    outer = []
    steps = 12
    for step in range(steps + 1):
        angle = math.pi + low - (math.pi + 2 * low) * step / steps
        outer.append(dome(head, angle, top, side, lean))
    inner = [head.at(longitude, latitude) for longitude, latitude in hairline]
    return curve(outer) + line(inner) + "Z"


def dome(head: Head, angle: float, top: float, side: float, lean: float) -> Point:
    """The outline of hair over a skull, at radians from our right upwards: rounder than an egg."""
    across, up = math.cos(angle), math.sin(angle)
    rounder = 0.12 * min(side + 0.4, 3.0) / 3.0
    reach = 1 + rounder * (2 * across * up) ** 2 * (up > 0)
    top = side * 0.5 + (top - side * 0.5) * max(up, 0) ** 2
    return (
        head.x + (head.wide + side) * across * reach + lean * max(up, 0) ** 3,
        head.y - (head.high + top) * up * reach,
    )


def shape(path: str, paint: Paint, fill: str = "url(#hair)") -> str:
    """A mass of hair with its soft outline."""
    return f'<path d="{path}" fill="{fill}" stroke="{paint.hair_line}" stroke-width=".6"/>'


def strands(paths: list[str], paint: Paint, lit: bool, width: float = 0.9) -> str:
    """A few strands, lighter or darker than the rest."""
    colour, opacity = (paint.hair_lit, 0.55) if lit else (paint.hair_line, 0.4)
    return (
        f'<path d="{"".join(paths)}" fill="none" stroke="{colour}" stroke-opacity="{opacity}" '
        f'stroke-width="{width}" stroke-linecap="round"/>'
    )


def sheen(head: Head, paint: Paint, out: float, width: float = 2.6) -> str:
    """The light on the top of the hair."""
    middle = paint.light * 0.75
    arc = [
        head.at(middle - head.turn * 0.6 + step * 0.22, 0.86 + 0.02 * abs(step), out)
        for step in (-2, -1, 0, 1, 2)
    ]
    return (
        f'<path d="{curve(arc)}" fill="none" stroke="{paint.hair_lit}" stroke-opacity=".42" '
        f'stroke-width="{width:.2f}" stroke-linecap="round"/>'
    )


def shaved(head: Head, length: float, paint: Paint) -> Layers:
    path = cap(head, SHORT, 0.3 + 1.2 * length, 0.1 + 0.4 * length)
    return "", f'<path d="{path}" fill="url(#hair)" fill-opacity="{0.3 + 0.45 * length:.2f}"/>'


def short(head: Head, length: float, paint: Paint) -> Layers:
    top = 3.0 + 3.5 * length
    swoop = [
        head.at(-0.62, 0.86, 1.04),
        head.at(-0.2, 0.98, 1.08 + 0.05 * length),
        head.at(0.5, 0.84, 1.1 + 0.04 * length),
        head.at(1.0, 0.52, 1.05),
        head.at(1.12, 0.28, 1.0),
        head.at(0.8, 0.52 - 0.1 * length, 1.0),
        head.at(0.3, 0.56 - 0.2 * length, 1.0),
        head.at(-0.3, 0.66 - 0.14 * length, 1.0),
    ]
    flow = [
        curve([head.at(-0.45, 0.84, 1.03), head.at(0.15, 0.86, 1.02), head.at(0.75, 0.6, 1.02)]),
        curve([head.at(-0.3, 0.72, 1.02), head.at(0.2, 0.7, 1.02), head.at(0.6, 0.56, 1.01)]),
    ]
    return "", (
        shape(cap(head, SHORT, top, 1.0), paint)
        + shape(curve(swoop, closed=True), paint)
        + strands(flow, paint, lit=False)
        + sheen(head, paint, 1.03)
    )


def quiff(head: Head, length: float, paint: Paint) -> Layers:
    rise = 5 + 6.5 * length
    wide = head.wide
    x, y = head.at(0, 0.66)
    wave = [
        head.at(-1.12, 0.44, 1.03),
        (head.x - 0.98 * wide, y - 5),
        (head.x - 0.72 * wide, y - 10 - 0.3 * rise),
        (x - 0.1 * wide, y - 9.5 - rise),
        (x + 0.5 * wide, y - 10.5 - rise),
        (x + 0.93 * wide, y - 6 - 0.75 * rise),
        (head.x + 1.04 * wide, y - 2 - 0.2 * rise),
        head.at(1.1, 0.5, 1.03),
        head.at(0.75, 0.62),
        head.at(0.3, 0.64 - 0.03 * length),
        head.at(-0.35, 0.72),
        head.at(-0.8, 0.62),
    ]
    flow = [
        curve(
            [
                head.at(at, 0.74, 1.02),
                (head.x + (at * 0.62 - 0.02) * wide, y - 5.5 - 0.25 * rise),
                (head.x + (at * 0.6 + 0.22) * wide, y - 7.0 - (0.6 - 0.3 * max(at, 0)) * rise),
            ]
        )
        for at in (-0.85, -0.45, -0.05, 0.4, 0.8)
    ]
    return "", (
        shape(cap(head, SHORT, 1.6, 0.4), paint)
        + shape(curve(wave, closed=True), paint)
        + strands(flow[::2], paint, lit=False)
        + strands(flow[1::2], paint, lit=True, width=1.5)
    )


def curls(points: list[tuple[float, float, float]], paint: Paint) -> str:
    """The light on single curls."""
    paths = "".join(
        f"M{x - 0.8 * r:.2f} {y + 0.5 * r:.2f}"
        f"A{r:.2f} {r:.2f} 0 1 1 {x + 0.9 * r:.2f} {y + 0.3 * r:.2f}"
        for x, y, r in points
    )
    return (
        f'<path d="{paths}" fill="none" stroke="{paint.hair_line}" stroke-opacity=".38" '
        'stroke-width=".8" stroke-linecap="round"/>'
        f'<path d="{paths}" fill="none" stroke="{paint.hair_lit}" stroke-opacity=".5" '
        'stroke-width=".9" stroke-linecap="round" transform="translate(0 .9)"/>'
    )


def curly(head: Head, length: float, paint: Paint) -> Layers:
    reach = 3.0 + 3.2 * length
    low = 0.1 + 0.85 * length
    outer, on_it = [], []
    count = 25
    for index in range(count):
        angle = math.pi + low - (math.pi + 2 * low) * index / (count - 1)
        bump = (1.5 if index % 2 else -0.9) + 0.7 * math.sin(index * 2.3)
        up = max(math.sin(angle), 0.0)
        x = head.x + (head.wide + reach + bump) * math.cos(angle) - 2 * head.turn
        y = head.y - (head.high + reach * (0.9 + 0.35 * up) + bump) * math.sin(angle)
        outer.append((x, y))
        if index % 2:
            inward = 0.86 + 0.03 * math.sin(index)
            on_it.append(
                (
                    head.x + (x - head.x) * inward,
                    head.y + (y - head.y) * inward,
                    2.0 + 0.5 * math.sin(index * 1.3),
                )
            )
    edge = []
    for index in range(15):
        longitude = 1.35 - 2.7 * index / 14
        latitude = 0.66 - 0.42 * abs(longitude / 1.35) ** 2.2
        latitude += 0.055 if index % 2 else -0.075
        edge.append(head.at(longitude, latitude, 1.01))
        if index % 2 and index not in (1, 13):
            x, y = head.at(longitude, latitude + 0.16, 1.02)
            on_it.append((x, y, 2.3))
    behind = shape(curve(outer, closed=True), paint, "url(#cloud)")
    front = curve(outer[4:-4]) + line(edge) + "Z"
    return behind, shape(front, paint, "url(#cloud)") + curls(on_it, paint)


def afro(head: Head, length: float, paint: Paint) -> Layers:
    radius = head.wide + 5.5 + 8 * length
    x, y = head.x - head.turn * 3, head.y - 6.5 - 2.5 * length
    back = shape(blob(x, y, radius, 17, 0.022), paint, "url(#cloud)")
    hairline = [head.at(longitude, latitude) for longitude, latitude in SHORT]
    top = [
        (x + radius * 0.86 * math.cos(angle), y - radius * 0.86 * math.sin(angle))
        for angle in (math.pi, 2.6, 2.1, 1.57, 1.04, 0.54, 0.0)
    ]
    front = f'<path d="{curve(top) + line(hairline)}Z" fill="url(#cloud)"/>'
    dots = "".join(
        f'<circle cx="{x + radius * r * math.cos(a):.2f}" cy="{y - radius * r * math.sin(a):.2f}" '
        f'r="1.5" fill="{paint.hair_lit}" fill-opacity=".3"/>'
        for r, a in (
            (0.8, 2.2),
            (0.86, 1.5),
            (0.8, 0.9),
            (0.7, 1.8),
            (0.72, 1.2),
            (0.88, 2.7),
            (0.86, 0.3),
        )
    )
    return back, front + dots


def fall(head: Head, down: float, flare: float, wave: float, side: float) -> list[Point]:
    """The outer edge of falling hair on our right, downwards from the ear."""
    points = []
    steps = 6
    for step in range(1, steps + 1):
        share = step / steps
        swing = wave * math.sin(share * 9.5) * share**0.4
        reach = head.wide + side + flare * math.sin(share * 2.0) + swing
        points.append((reach, -0.02 * head.high + (down + 0.02 * head.high) * share))
    return points


def locks(
    head: Head, down: float, flare: float, paint: Paint, wave: float = 0.0, side: float = 2.0
) -> str:
    """Hair behind the head that falls to a height, wavy or straight."""
    edge = fall(head, down, flare, wave, side)
    drift = [-9 * head.turn * max(y, 0) / down for _, y in edge]
    right = [(head.x + x + by, head.y + y) for (x, y), by in zip(edge, drift, strict=True)]
    left = [(head.x - x + by, head.y + y) for (x, y), by in zip(edge, drift, strict=True)]
    top = [
        (head.x - head.wide - side, head.y - 0.3 * head.high),
        (head.x, head.y - head.high - 2),
        (head.x + head.wide + side, head.y - 0.3 * head.high),
    ]
    middle = (head.x - 9 * head.turn, head.y + down + 1.5)
    return shape(
        curve([*reversed(left), *top, *right, middle], closed=True), paint, "url(#behind)"
    )


def mane(
    head: Head,
    hairline: tuple[Point, ...],
    paint: Paint,
    down: float,
    top: float,
    side: float,
    flare: float = 0.0,
    wave: float = 0.0,
    lock: float = 6.0,
    lean: float = 0.0,
) -> str:
    """Hair over the skull that goes on falling beside the face, in one piece.

    Arguments:
        down: How far below the middle of the head it ends.
        top, side: How far it stands out on top and at the sides.
        flare: How far it widens as it falls.
        wave: How far it swings.
        lock: How wide it is at its end.
        lean: How far the top leans to our right.
    """
    edge = fall(head, down, flare, wave, side)
    drift = [-9 * head.turn * max(y, 0) / down for _, y in edge]
    right = [(head.x + x + by, head.y + y) for (x, y), by in zip(edge, drift, strict=True)]
    left = [(head.x - x + by, head.y + y) for (x, y), by in zip(edge, drift, strict=True)]
    arch = []
    for step in range(11):
        angle = math.pi * (1 - step / 10)
        arch.append(dome(head, angle, top, side, lean))
    outer = [*reversed(left), *arch, *right]
    # Short hair ends before its hairline would.
    lowest = -math.asin(min(0.8 * down / head.high, 1.0))
    hairline = tuple((longitude, max(latitude, lowest)) for longitude, latitude in hairline)
    temples = []
    for sign, tip in ((1, right[-1]), (-1, left[-1])):
        start = head.at(hairline[0][0] if sign > 0 else hairline[-1][0], hairline[0][1])
        inner = [(tip[0] - sign * lock, tip[1] - 0.6)]
        if down > 16:
            inner.append(
                (
                    tip[0] * 0.55 + start[0] * 0.45 - sign * lock * 0.35,
                    tip[1] * 0.5 + start[1] * 0.5,
                )
            )
        temples.append(inner)
    inside = [
        *temples[0],
        *(head.at(longitude, latitude) for longitude, latitude in hairline),
        *reversed(temples[1]),
    ]
    return shape(curve(outer) + line(inside) + "Z", paint)


def tresses(head: Head, down: float, side: float, wave: float, paint: Paint) -> str:
    """Strands along what falls beside the face."""
    lit, dark = [], []
    for sign in (-1, 1):
        for inset, start in ((1.4, 0.5), (4.0, 0.2)):
            x = head.x + sign * (head.wide + side - inset)
            drift = -9 * head.turn
            points = [
                (x - sign * 1.0, head.y - start * head.high),
                (x + sign * 0.6 + drift * 0.35, head.y + 0.35 * down),
                (x + sign * wave + drift * 0.7, head.y + 0.66 * down),
                (x - sign * wave + drift * 0.95, head.y + 0.94 * down),
            ]
            (lit if (sign * paint.light > 0) == (inset < 2) else dark).append(curve(points))
    return strands(lit, paint, lit=True, width=0.8) + strands(dark, paint, lit=False, width=0.8)


def bob(head: Head, length: float, paint: Paint) -> Layers:
    down = head.high * (0.42 + 0.75 * length)
    front = mane(head, FRINGE, paint, down, 4.2, 2.8, flare=1.6, lock=5.5)
    flow = [
        curve(
            [
                head.at(step, 0.85, 1.03),
                head.at(step * 1.15, 0.62, 1.02),
                head.at(step * 1.2, 0.46),
            ]
        )
        for step in (-0.55, -0.2, 0.2, 0.55)
    ]
    return locks(head, down - 1, 1.4, paint), (
        front
        + strands(flow, paint, lit=False, width=0.7)
        + tresses(head, down, 2.8, 0.0, paint)
        + sheen(head, paint, 1.02, 3.0)
    )


def long(head: Head, length: float, paint: Paint) -> Layers:
    down = 25 + 25 * length
    front = mane(head, PARTED, paint, down, 3.2, 2.0, flare=3.5, lock=7)
    part = curve([head.at(0, 1.2, 1.06), head.at(0.0, 0.98, 1.0)])
    return locks(head, down, 3.0, paint), (
        front
        + strands([part], paint, lit=False, width=0.8)
        + tresses(head, down, 2.0, 0.0, paint)
        + sheen(head, paint, 1.0, 2.2)
    )


def wavy(head: Head, length: float, paint: Paint) -> Layers:
    down = 21 + 27 * length
    front = mane(head, SIDE, paint, down, 5.2, 3.2, flare=4.0, wave=1.6, lock=8, lean=1.5)
    flow = [
        curve([head.at(0.4, 0.98, 1.05), head.at(-0.1, 0.82, 1.05), head.at(-0.7, 0.62, 1.04)]),
        curve([head.at(0.3, 0.9, 1.02), head.at(-0.2, 0.7, 1.02), head.at(-0.8, 0.45, 1.03)]),
    ]
    return locks(head, down, 4.5, paint, wave=1.8, side=2.6), (
        front
        + strands(flow, paint, lit=False)
        + tresses(head, down, 3.2, 1.4, paint)
        + sheen(head, paint, 1.04, 2.6)
    )


def bun(head: Head, length: float, paint: Paint) -> Layers:
    radius = 6 + 4.5 * length
    x, y = head.x - head.turn * 9, head.y - head.high - radius * 0.62 - 0.6
    knot = (
        f'<circle cx="{x:.2f}" cy="{y:.2f}" r="{radius:.2f}" fill="url(#curl)" '
        f'stroke="{paint.hair_line}" stroke-width=".7"/>'
    )
    swirl = [
        (x + radius * r * math.cos(a), y + radius * r * math.sin(a))
        for r, a in ((0.75, 2.4), (0.7, 3.6), (0.62, 4.7), (0.5, 5.9), (0.36, 7.2))
    ]
    knot += strands([curve(swirl)], paint, lit=False)
    drawn = shape(cap(head, SHORT, 2.2, 0.8), paint)
    flow = [
        curve(
            [
                head.at(side * 0.75, 0.62),
                head.at(side * 0.5, 0.9, 1.03),
                head.at(side * 0.1, 1.25, 1.05),
            ]
        )
        for side in (-1.2, -0.5, 0.5, 1.2)
    ]
    wisps = [
        curve(
            [
                head.at(side * 1.15, 0.2),
                head.at(side * 1.2, -0.1, 1.02),
                head.at(side * 1.1, -0.36, 1.0),
            ]
        )
        for side in (-1, 1)
    ]
    return knot, (
        drawn
        + strands(flow, paint, lit=False, width=0.7)
        + f'<path d="{"".join(wisps)}" fill="none" stroke="{paint.hair}" stroke-width="1.1" '
        'stroke-linecap="round"/>' + sheen(head, paint, 1.0, 2.4)
    )


def pigtails(head: Head, length: float, paint: Paint) -> Layers:
    back = ""
    for side in (-1, 1):
        x = head.x + side * (head.wide + 1.5) - head.turn * 7
        y = head.y + 0.08 * head.high
        end = y + 13 + 24 * length
        tail = [
            (x, y - 2.5),
            (x + side * 7.4, y + 0.5),
            (x + side * 10.4, y + 0.5 * (end - y)),
            (x + side * 6.4, end),
            (x + side * 1.2, end - 3.5),
            (x + side * 0.2, y + 0.4 * (end - y)),
        ]
        back += shape(curve(tail, closed=True), paint, "url(#hair)")
        back += (
            f'<circle cx="{x + side * 1.2:.2f}" cy="{y:.2f}" r="2.5" fill="{paint.accent}" '
            f'stroke="{paint.accent_line}" stroke-width=".6"/>'
        )
    front = shape(cap(head, FRINGE, 3.4, 1.6), paint)
    part = curve([head.at(0, 1.25, 1.06), head.at(0.0, 0.9, 1.04)])
    flow = [
        curve(
            [head.at(step * 0.6, 0.85, 1.03), head.at(step, 0.62, 1.02), head.at(step * 1.1, 0.46)]
        )
        for step in (-0.7, -0.25, 0.25, 0.7)
    ]
    return back, front + strands([part, *flow], paint, lit=False, width=0.7) + sheen(
        head, paint, 1.0
    )


def beanie(head: Head, length: float, paint: Paint) -> Layers:
    down = head.high * (0.3 + 1.1 * length)
    back = locks(head, down - 1, 1.0, paint, side=1.2)
    sides = mane(head, FRINGE, paint, down, 1.5, 1.2, flare=1.5, lock=4.5)
    crown = cap(
        head, ((1.5, 0.5), (0.8, 0.52), (0.0, 0.56), (-0.8, 0.52), (-1.5, 0.5)), 7.0, 2.4, low=-0.3
    )
    band = [
        *(head.at(longitude, 0.34, 1.06) for longitude in (1.4, 0.7, 0.0, -0.7, -1.4)),
        *(head.at(longitude, 0.62, 1.1) for longitude in (-1.4, -0.7, 0.0, 0.7, 1.4)),
    ]
    ribs = [
        curve([head.at(step, 0.36, 1.06), head.at(step * 1.02, 0.6, 1.09)])
        for step in (-1.1, -0.75, -0.37, 0.0, 0.37, 0.75, 1.1)
    ]
    x, y = head.x - head.turn * 5, head.y - head.high - 8.6
    return back, (
        sides + f'<path d="{blob(x, y, 4.6, 9, 0.07)}" fill="{paint.accent_lit}" '
        f'stroke="{paint.accent_line}" stroke-width=".6"/>'
        + f'<path d="{crown}" fill="url(#wool)" stroke="{paint.accent_line}" stroke-width=".7"/>'
        + f'<path d="{curve(band, closed=True)}" fill="url(#wool)" stroke="{paint.accent_line}" '
        'stroke-width=".8"/>'
        + f'<path d="{"".join(ribs)}" stroke="{paint.accent_line}" stroke-width=".8" '
        'stroke-opacity=".55" fill="none"/>'
    )


STYLES: dict[str, Callable[[Head, float, Paint], Layers]] = {
    "shaved": shaved,
    "short": short,
    "quiff": quiff,
    "curly": curly,
    "afro": afro,
    "bob": bob,
    "long": long,
    "wavy": wavy,
    "bun": bun,
    "pigtails": pigtails,
    "beanie": beanie,
}

KINDS = tuple(STYLES)

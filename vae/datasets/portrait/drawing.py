"""A portrait, drawn from its factors: two eyes, a mouth, and whatever makes a face somebody's.

portrait(Sitter(smile=0.8, hair_style="bun"))  # an SVG, as text
"""

__all__ = ["BEARDS", "CLOTHES", "GLASSES", "Sitter", "portrait"]

import math
from dataclasses import dataclass

from vae.datasets.portrait.geometry import Head, Point, curve, line, smoothstep
from vae.datasets.portrait.hair import hair
from vae.datasets.portrait.paint import Paint

GLASSES = ("none", "round", "square")
BEARDS = ("none", "moustache", "stubble", "full")
CLOTHES = ("plain", "striped", "collar", "turtleneck")

# Radians of a head that is turned as far as it goes.
FURTHEST = 0.46


@dataclass(frozen=True)
class Sitter:
    """Who sits for a portrait, and how: its factors.

    Arguments:
        smile: From −1, unhappy, to 1.
        mouth_opening: From 0, closed, to 1.
        eye_opening: From 0, nearly closed, to 1, wide open.
        gaze_across: From −1, to our left, to 1.
        gaze_up: From −1, downwards, to 1.
        head_turn: From −1, to our left, to 1.
        brow_angle: From −1, drawn together in anger, to 1, raised in worry.
        hair_length: From 0 to 1, of what the style allows.
        skin_tone: From 0, deep brown, to 1, fair.
        hair_hue: From 0, black, by brown and red to 1, blond.
        background_hue: In turns of the colour circle.
        light: From −1, from our left, to 1.
        age: From 0, a child, to 1, old.
        face_width: From 0, narrow, to 1, round.
        clothes_hue: In turns of the colour circle.
        hair_style, glasses, beard, clothes: One of their kinds.
    """

    smile: float = 0.5
    mouth_opening: float = 0.0
    eye_opening: float = 0.6
    gaze_across: float = 0.0
    gaze_up: float = 0.0
    head_turn: float = 0.0
    brow_angle: float = 0.0
    hair_length: float = 0.5
    skin_tone: float = 0.7
    hair_hue: float = 0.3
    background_hue: float = 0.6
    light: float = -0.5
    age: float = 0.4
    face_width: float = 0.5
    clothes_hue: float = 0.1
    hair_style: str = "short"
    glasses: str = "none"
    beard: str = "none"
    clothes: str = "plain"


def portrait(sitter: Sitter) -> str:
    """The portrait as SVG, a square of 100 units."""
    s = sitter
    young, old = 1 - smoothstep(0.0, 0.32, s.age), smoothstep(0.6, 1.0, s.age)
    head = Head(
        50 - 1.5 * s.head_turn,
        49.5 + 1.5 * young,
        (20.2 + 2.6 * s.face_width) * (1 + 0.02 * young),
        26.5 - 2.3 * young + 0.6 * old,
        0.72 + 0.09 * s.face_width + 0.05 * young - 0.02 * old,
        FURTHEST * s.head_turn,
    )
    paint = Paint.of(s.light, s.skin_tone, s.hair_hue, s.age, s.background_hue, s.clothes_hue)
    behind, before = hair(s.hair_style, head, s.hair_length, paint)
    contour = curve(head.contour(), closed=True)
    near = -1 if s.head_turn > 0 else 1
    # Whoever turns to look leans a little.
    tilted = f'<g transform="rotate({2.6 * s.head_turn:.2f} 50 82)">'
    drawing = (
        background(paint)
        + tilted
        + behind
        + "</g>"
        + body(s, head, paint, young)
        + tilted
        + ear(head, paint, -near)
        + f'<path d="{contour}" fill="url(#skin)" stroke="{paint.skin_line}" '
        'stroke-opacity=".55" stroke-width=".7"/>'
        + ear(head, paint, near)
        + shadows(head, paint)
        + cheeks(s, head, young)
        + wrinkles(head, paint, old)
        + (beard(s, head, paint) if s.beard in ("stubble", "full") else "")
        + nose(head, paint, young, old)
        + mouth(s, head, paint)
        + (moustache(s, head, paint) if s.beard in ("moustache", "full") else "")
        + eyes(s, head, paint, young)
        + brows(s, head, paint, young, old)
        + glasses(s, head, paint, young)
        + before
        + "</g>"
    )
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="9 7.5 82 82"><defs>'
        + paint.gradients(head, drawing)
        + f"</defs>{drawing}</svg>"
    )


def background(paint: Paint) -> str:
    return (
        '<rect width="100" height="100" fill="url(#back)"/>'
        f'<circle cx="50" cy="47" r="36" fill="{paint.back_lit}" fill-opacity=".38" '
        'shape-rendering="optimizeSpeed"/>'
    )


def body(s: Sitter, head: Head, paint: Paint, young: float) -> str:
    """Neck, shoulders and what is worn."""
    x = 50 + 0.6 * s.head_turn
    neck = head.wide * (0.44 - 0.1 * young)
    chin = head.y + head.high
    shoulder = 38 - 5 * young
    top = chin + 4.5
    shoulders = [
        (x - shoulder - 6, 104),
        (x - shoulder, 94),
        (x - shoulder * 0.72, top + 6.5),
        (x - neck - 2.5, top + 1.0),
    ]
    garment = [*shoulders, *((2 * x - px, py) for px, py in reversed(shoulders))]
    left, right = garment[:4], garment[4:]
    dip = 8 if s.clothes != "turtleneck" else 3
    outline = (
        curve(left)
        + line(
            [(x - neck * 0.6, top + dip * 0.7), (x, top + dip), (x + neck * 0.6, top + dip * 0.7)]
        )
        + line(right)
        + "Z"
    )
    column = (
        f"M{x - neck:.2f} {chin - 12:.2f}L{x - neck - 0.4:.2f} {top:.2f}"
        f"Q{x - neck - 1:.2f} {top + 3:.2f} {x - neck - 6:.2f} {top + 6:.2f}"
        f"L{x:.2f} {top + 15:.2f}"
        f"L{x + neck + 6:.2f} {top + 6:.2f}Q{x + neck + 1:.2f} {top + 3:.2f} "
        f"{x + neck + 0.4:.2f} {top:.2f}L{x + neck:.2f} {chin - 12:.2f}Z"
    )
    under = [
        (x - neck - 1, chin - 8),
        (x - neck - 0.5, chin - 1),
        (x - 1.8 * paint.light + 4 * head.turn, chin + 4.6),
        (x + neck + 0.5, chin - 1),
        (x + neck + 1, chin - 8),
    ]
    drawn = (
        f'<path d="{column}" fill="{paint.skin.mixed(paint.skin_shade, 0.45)}"/>'
        f'<path d="{curve(under)}Z" fill="{paint.skin_shade.changed(0.88)}" fill-opacity=".75"/>'
        f'<path d="{outline}" fill="url(#cloth)" stroke="{paint.cloth_shade}" stroke-width=".7"/>'
    )
    if s.clothes == "striped":
        stripes = "".join(
            f'<path d="M0 {y + 3:.1f}Q50 {y - 3:.1f} 100 {y + 3:.1f}" stroke="#fff8ee" '
            'stroke-opacity=".85" stroke-width="2.5" fill="none"/>'
            for y in (top + 9, top + 15, top + 21, top + 27)
        )
        drawn += (
            f'<clipPath id="garment"><path d="{outline}"/></clipPath>'
            f'<g clip-path="url(#garment)">{stripes}</g>'
        )
    if s.clothes in ("plain", "striped"):
        rim = [
            (x - neck - 2.5, top + 1),
            (x - neck * 0.6, top + 5.6),
            (x, top + 8),
            (x + neck * 0.6, top + 5.6),
            (x + neck + 2.5, top + 1),
        ]
        drawn += (
            f'<path d="{curve(rim)}" fill="none" stroke="{paint.cloth_shade}" stroke-width="1.9" '
            'stroke-linecap="round"/>'
        )
    if s.clothes == "collar":
        for side in (-1, 1):
            flap = [
                (x + side * (neck + 2.6), top - 0.6),
                (x + side * (neck + 7.5), top + 6.5),
                (x + side * (neck + 1.0), top + 12.5),
                (x + side * 0.3, top + 8.2),
            ]
            points = "L".join(f"{px:.2f} {py:.2f}" for px, py in flap)
            drawn += (
                f'<path d="M{points}Z" fill="#fff8ee" fill-opacity=".94" '
                f'stroke="{paint.cloth_shade}" stroke-width=".7" stroke-linejoin="round"/>'
            )
    if s.clothes == "turtleneck":
        roll = [
            (x - neck - 1.6, top - 3.4),
            (x, top + 0.8),
            (x + neck + 1.6, top - 3.4),
            (x + neck + 3.0, top + 4),
            (x, top + 8.6),
            (x - neck - 3.0, top + 4),
        ]
        drawn += (
            f'<path d="{curve(roll, closed=True)}" fill="url(#cloth)" '
            f'stroke="{paint.cloth_shade}" stroke-width=".8"/>'
        )
    return drawn


def ear(head: Head, paint: Paint, side: int) -> str:
    """One ear; the far one goes behind the head as that turns."""
    sine = math.sin(head.turn) * side
    x = (
        head.x
        + side * (head.wide + 0.6 - (5.5 * sine if sine > 0 else 0.0))
        + (-side * 9 * sine if sine < 0 else 0) * -0.6
    )
    y = head.y + 0.1 * head.high
    wide = 3.4 * (1 + 0.25 * max(-sine, 0))
    return (
        f'<ellipse cx="{x:.2f}" cy="{y:.2f}" rx="{wide:.2f}" ry="5.2" fill="url(#skin)" '
        f'stroke="{paint.skin_line}" stroke-opacity=".55" stroke-width=".7"/>'
        f'<ellipse cx="{x + 0.3 * side:.2f}" cy="{y + 0.2:.2f}" rx="{wide * 0.5:.2f}" ry="3" '
        f'fill="{paint.skin_shade}" fill-opacity=".6"/>'
    )


def shadows(head: Head, paint: Paint) -> str:
    """The shade below the chin, and what the background throws on the side without light."""
    edge = head.contour(-0.8)
    rim = edge[2:6] if paint.light < 0 else edge[9:13]
    chin = edge[5:10]
    x, _ = head.at(0, -0.9)
    fold = [(chin[-1][0], chin[-1][1]), (x, chin[2][1] - 2.6), (chin[0][0], chin[0][1])]
    return (
        f'<path d="{curve(chin)}{line(fold)}Z" fill="{paint.skin_shade}" fill-opacity=".4"/>'
        f'<path d="{curve(rim)}" fill="none" stroke="{paint.back_lit}" stroke-width="1.1" '
        f'stroke-opacity="{0.36 * abs(paint.light):.2f}" stroke-linecap="round"/>'
    )


def cheeks(s: Sitter, head: Head, young: float) -> str:
    drawn = ""
    for side in (-1, 1):
        x, y = head.at(side * 0.62, -0.34 + 0.05 * s.smile - 0.06 * young)
        narrow = max(head.narrowed(side * 0.62), 0.25)
        drawn += (
            f'<ellipse cx="{x:.2f}" cy="{y:.2f}" rx="{7.6 * narrow:.2f}" ry="5.4" '
            'fill="url(#blush)"/>'
        )
    return drawn


def wrinkles(head: Head, paint: Paint, old: float) -> str:
    if old < 0.02:
        return ""
    lines = []
    for side in (-1, 1):
        lines.append(
            curve(
                [
                    head.at(side * 0.3, -0.34),
                    head.at(side * 0.48, -0.5),
                    head.at(side * 0.5, -0.72),
                ]
            )
        )
        lines.append(
            curve(
                [
                    head.at(side * 0.28, -0.2),
                    head.at(side * 0.44, -0.27),
                    head.at(side * 0.62, -0.2),
                ]
            )
        )
        for latitude in (0.05, -0.06):
            lines.append(
                curve([head.at(side * 0.8, latitude * 0.6), head.at(side * 0.93, latitude * 1.8)])
            )
    for latitude in (0.5, 0.6):
        lines.append(
            curve([head.at(-0.4, latitude), head.at(0, latitude + 0.03), head.at(0.4, latitude)])
        )
    return (
        f'<path d="{"".join(lines)}" fill="none" stroke="{paint.skin_line}" stroke-width=".75" '
        f'stroke-opacity="{0.62 * old:.2f}" stroke-linecap="round"/>'
    )


def eyes(s: Sitter, head: Head, paint: Paint, young: float) -> str:
    # What both have alike is drawn as one shape, which takes half the time.
    almonds, uppers, lowers, creases, within = "", "", "", "", ""
    size = 1.13 + 0.16 * young
    opening = 0.36 + 0.64 * s.eye_opening
    for side in (-1, 1):
        longitude = side * (0.41 + 0.02 * young)
        x, y = head.at(longitude, -0.03 - 0.09 * young)
        narrow = 0.35 + 0.65 * min(head.narrowed(longitude) / math.cos(0.41), 1.06)
        wide = 5.3 * size * narrow
        up, down = 4.5 * size * opening, 3.3 * size * (0.3 + 0.7 * opening)
        # Who smiles does so with the lower lids too.
        down *= 1 - 0.3 * max(s.smile, 0)
        left, right = f"{x - wide:.2f} {y + 0.5:.2f}", f"{x + wide:.2f} {y + 0.5:.2f}"
        near, far = f"{x - wide * 0.55:.2f}", f"{x + wide * 0.55:.2f}"
        high, low = f"{y - up * 1.3:.2f}", f"{y + down * 1.3:.2f}"
        uppers += f"M{left}C{near} {high} {far} {high} {right}"
        lowers += f"M{right}C{far} {low} {near} {low} {left}"
        almonds += f"M{left}C{near} {high} {far} {high} {right}C{far} {low} {near} {low} {left}Z"
        creases += (
            f"M{x - wide * 0.85:.2f} {y - up - 0.6:.2f}Q{x:.2f} {y - up - 2.6:.2f} "
            f"{x + wide * 0.85:.2f} {y - up - 0.6:.2f}"
        )
        x += 2.1 * narrow * s.gaze_across
        y -= 0.4 + 1.5 * size * s.gaze_up
        iris = 3.45 * size
        across = 0.4 + 0.6 * narrow
        within += (
            f'<ellipse cx="{x:.2f}" cy="{y:.2f}" rx="{iris * across:.2f}" ry="{iris:.2f}" '
            'fill="url(#iris)"/>'
            f'<ellipse cx="{x:.2f}" cy="{y:.2f}" rx="{iris * 0.52 * across:.2f}" '
            f'ry="{iris * 0.52:.2f}" fill="#15101a"/>'
            f'<circle cx="{x + 1.1 * paint.light:.2f}" cy="{y - 1.25:.2f}" '
            f'r="{1.05 * size:.2f}" fill="#fff"/>'
        )
    return (
        f'<clipPath id="eyes"><path d="{almonds}"/></clipPath>'
        f'<path d="{almonds}" fill="#fdf8f2"/><g clip-path="url(#eyes)">{within}'
        f'<path d="{uppers}" fill="none" stroke="{paint.skin_line}" stroke-opacity=".4" '
        'stroke-width="2.6"/></g>'
        f'<path d="{uppers}" fill="none" stroke="{paint.skin_line.changed(0.55)}" '
        'stroke-width="1.35" stroke-linecap="round"/>'
        f'<path d="{lowers}{creases}" fill="none" stroke="{paint.skin_line}" '
        'stroke-opacity=".42" stroke-width=".65" stroke-linecap="round"/>'
    )


def brows(s: Sitter, head: Head, paint: Paint, young: float, old: float) -> str:
    path = ""
    thick = 1.25 - 0.4 * young + 0.15 * old
    lift = 0.355 - 0.06 * young + 0.06 * s.eye_opening
    for side in (-1, 1):
        inner = head.at(side * 0.19, lift + 0.075 * s.brow_angle + 0.03)
        middle = head.at(side * 0.46, lift + 0.075 + 0.02 * s.brow_angle)
        outer = head.at(side * 0.74, lift - 0.055 * s.brow_angle - 0.01)
        upper = [inner, (middle[0], middle[1] - thick), outer]
        lower = [outer, (middle[0], middle[1] + thick * 0.7), (inner[0], inner[1] + thick)]
        path += curve(upper) + line(lower) + "Z"
    return (
        f'<path d="{path}" fill="{paint.brow}" stroke="{paint.brow}" stroke-width=".8" '
        'stroke-linejoin="round"/>'
    )


def nose(head: Head, paint: Paint, young: float, old: float) -> str:
    forward = 1.1
    size = 1 - 0.25 * young + 0.1 * old
    x, y = head.at(0, -0.34 - 0.05 * young, forward)
    x0, y0 = head.at(0, -0.04, 1.02)
    side = -paint.light
    return (
        f'<path d="M{x0 + side * 1.1:.2f} {y0:.2f}Q{x + side * 2.0 * size:.2f} {y - 4:.2f} '
        f"{x + side * 3.0 * size:.2f} {y + 0.8:.2f}Q{x:.2f} {y + 2.8 * size:.2f} "
        f'{x:.2f} {y + 1:.2f}Z" '
        f'fill="{paint.skin_shade}" fill-opacity="{0.25 + 0.3 * abs(side):.2f}"/>'
        f'<ellipse cx="{x + 0.6 * paint.light:.2f}" cy="{y - 0.4:.2f}" rx="{2.7 * size:.2f}" '
        f'ry="{2.2 * size:.2f}" fill="{paint.skin_lit}" fill-opacity=".65"/>'
        f'<path d="M{x - 3.0 * size:.2f} {y + 0.2:.2f}Q{x - 2.8 * size:.2f} {y + 2.4 * size:.2f} '
        f"{x - 0.9 * size:.2f} {y + 2.0 * size:.2f}Q{x:.2f} {y + 2.9 * size:.2f} "
        f"{x + 0.9 * size:.2f} {y + 2.0 * size:.2f}Q{x + 2.8 * size:.2f} {y + 2.4 * size:.2f} "
        f'{x + 3.0 * size:.2f} {y + 0.2:.2f}" fill="none" stroke="{paint.skin_line}" '
        f'stroke-opacity=".72" stroke-width=".95" stroke-linecap="round"/>'
    )


def lips(s: Sitter, head: Head) -> tuple[Point, Point, Point, float]:
    """The corners of a mouth, and how far it bends and opens."""
    reach = 0.33 + 0.08 * max(s.smile, 0) - 0.06 * s.mouth_opening
    latitude = -0.63
    lift = 2.7 * s.smile
    left, right = head.at(-reach, latitude), head.at(reach, latitude)
    middle = head.at(0, latitude, 1.03)
    return (left[0], left[1] - lift * 0.6), (right[0], right[1] - lift * 0.6), middle, lift


def mouth(s: Sitter, head: Head, paint: Paint) -> str:
    left, right, middle, lift = lips(s, head)
    x, y = middle
    opening = 6.6 * s.mouth_opening
    up, down = y + lift * 0.9 - 0.12 * opening, y + lift * 0.9 + opening
    # A quadratic curve passes half-way to its control point.
    mean = (left[1] + right[1]) / 2
    upper = f"Q{x:.2f} {2 * up - mean:.2f} {right[0]:.2f} {right[1]:.2f}"
    lower = f"Q{x:.2f} {2 * down - mean:.2f} {left[0]:.2f} {left[1]:.2f}"
    start = f"M{left[0]:.2f} {left[1]:.2f}"
    inside = f"{start}{upper}{lower}Z"
    fuller = f"Q{x:.2f} {2 * (down + 2.3) - mean:.2f} {left[0]:.2f} {left[1]:.2f}"
    bow = (
        f"Q{x - 2.6:.2f} {2 * (up - 1.5) - mean:.2f} {x:.2f} {up - 0.9:.2f}"
        f"Q{x + 2.6:.2f} {2 * (up - 1.5) - mean:.2f} {right[0]:.2f} {right[1]:.2f}"
    )
    drawn = f'<path d="{start}{bow}{fuller}Z" fill="{paint.lips}"/>'
    if s.mouth_opening > 0.04:
        drawn += (
            f'<clipPath id="mouth"><path d="{inside}"/></clipPath><path d="{inside}" '
            'fill="#4a1722"/><g clip-path="url(#mouth)">'
            f'<ellipse cx="{x:.2f}" cy="{down + 0.6:.2f}" rx="4.6" ry="{0.4 * opening:.2f}" '
            'fill="#d9646c"/>'
            f'<path d="{start}{upper}V{up + 1.0 + 0.22 * opening:.2f}H{left[0]:.2f}Z" '
            'fill="#fffaf2"/></g>'
        )
    drawn += (
        f'<path d="{start}{upper}" fill="none" stroke="{paint.skin_line.changed(0.7, 1.2)}" '
        'stroke-width="1.05" stroke-linecap="round"/>'
    )
    return drawn


def beard(s: Sitter, head: Head, paint: Paint) -> str:
    """What covers jaw and chin, drawn within the face."""
    _, _, (_, y), lift = lips(s, head)
    top = y + lift * 0.6
    inner = [
        head.at(1.42, 0.05),
        head.at(1.22, -0.26),
        head.at(0.98, -0.5),
        head.at(0.68, -0.6),
        (head.at(0.46, -0.6)[0], top - 1.6),
        (head.at(0.27, -0.6)[0], top - 3.4),
        (head.at(0.0, -0.6)[0], top - 3.0),
        (head.at(-0.27, -0.6)[0], top - 3.4),
        (head.at(-0.46, -0.6)[0], top - 1.6),
        head.at(-0.68, -0.6),
        head.at(-0.98, -0.5),
        head.at(-1.22, -0.26),
        head.at(-1.42, 0.05),
    ]
    out = 2.2 if s.beard == "full" else 0.3
    jaw = [(px, py + 0.4 * out) for px, py in head.contour(out)[4:11]]
    path = curve(inner) + line(jaw[::-1]) + "Z"
    if s.beard == "stubble":
        return (
            f'<path d="{path}" fill="{paint.hair_line.mixed(paint.skin_shade, 0.4)}" '
            'fill-opacity=".36"/>'
        )
    return f'<path d="{path}" fill="url(#beard)" stroke="{paint.hair_line}" stroke-width=".6"/>'


def moustache(s: Sitter, head: Head, paint: Paint) -> str:
    left, right, (x, y), lift = lips(s, head)
    up = y + lift * 0.9 - 0.8 * s.mouth_opening
    droop = 1.2 - lift * 0.35
    path = curve(
        [
            (x, up - 3.6),
            (x + 3.4, up - 4.0),
            (right[0] + 1.2, right[1] - 1.6 + droop * 0.4),
            (right[0] + 2.4, right[1] - 0.4 + droop),
            (right[0] - 0.5, right[1] + 0.2),
            (x + 3.0, up - 0.5),
            (x, up - 1.3),
            (x - 3.0, up - 0.5),
            (left[0] + 0.5, left[1] + 0.2),
            (left[0] - 2.4, left[1] - 0.4 + droop),
            (left[0] - 1.2, left[1] - 1.6 + droop * 0.4),
            (x - 3.4, up - 4.0),
        ],
        closed=True,
    )
    return (
        f'<path d="{path}" fill="{paint.brow}" stroke="{paint.hair_line}" stroke-width=".5" '
        'stroke-opacity=".6"/>'
    )


def glasses(s: Sitter, head: Head, paint: Paint, young: float) -> str:
    if s.glasses == "none":
        return ""
    drawn = ""
    edges = []
    frame = paint.accent.changed(0.56, 0.9) if s.glasses == "square" else "#b8863b"
    thick = 1.5 if s.glasses == "square" else 1.0
    for side in (-1, 1):
        longitude = side * 0.43
        x, y = head.at(longitude, -0.06 - 0.09 * young, 1.03)
        narrow = 0.35 + 0.65 * min(head.narrowed(longitude) / math.cos(0.43), 1.06)
        wide, high = 7.4 * narrow, 7.2
        edges.append((x - wide, x + wide, y))
        if s.glasses == "round":
            rim = f'<ellipse cx="{x:.2f}" cy="{y:.2f}" rx="{wide:.2f}" ry="{high:.2f}"'
        else:
            high = 5.8
            rim = (
                f'<rect x="{x - wide:.2f}" y="{y - high:.2f}" width="{2 * wide:.2f}" '
                f'height="{2 * high:.2f}" rx="2.6"'
            )
        drawn += (
            f'{rim} fill="#eaf6ff" fill-opacity=".13" stroke="{frame}" '
            f'stroke-width="{thick}"/>'
            f'<path d="M{x - wide * 0.5:.2f} {y - high * 0.1:.2f}L{x - wide * 0.05:.2f} '
            f'{y - high * 0.62:.2f}" stroke="#fff" stroke-opacity=".5" stroke-width="1.1" '
            'stroke-linecap="round"/>'
        )
    (left, inner, y), (again, right, _) = edges
    bridge = (
        f"M{inner:.2f} {y - 1:.2f}Q{(inner + again) / 2:.2f} {y - 3:.2f} {again:.2f} {y - 1:.2f}"
    )
    temples = ""
    for edge, side in ((left, -1), (right, 1)):
        end = head.at(side * 1.5, 0.02)
        if side * (end[0] - edge) > 1:
            temples += f"M{edge:.2f} {y - 1.5:.2f}L{end[0]:.2f} {y - 2.5:.2f}"
    return (
        f'<path d="{temples}{bridge}" fill="none" stroke="{frame}" stroke-width="{thick}"/>'
        + drawn
    )

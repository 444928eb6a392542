"""What a portrait is painted with: its colours, and the gradients of its light."""

__all__ = ["Paint"]

import math
from dataclasses import dataclass

from vae.datasets.portrait.colours import HAIRS, SKINS, Colour, between, of_lch
from vae.datasets.portrait.geometry import Head, smoothstep


@dataclass(frozen=True)
class Paint:
    """The colours of a portrait.

    Arguments:
        light: Where the light comes from: −1 is our left, 1 our right.
    """

    light: float
    skin: Colour
    skin_lit: Colour
    skin_shade: Colour
    skin_line: Colour
    blush: Colour
    lips: Colour
    hair: Colour
    hair_lit: Colour
    hair_shade: Colour
    hair_line: Colour
    brow: Colour
    iris: Colour
    cloth: Colour
    cloth_lit: Colour
    cloth_shade: Colour
    accent: Colour
    accent_lit: Colour
    accent_line: Colour
    back: Colour
    back_lit: Colour
    back_shade: Colour

    @classmethod
    def of(
        cls,
        light: float,
        skin: float,
        hair_hue: float,
        age: float,
        background: float,
        clothes: float,
    ) -> "Paint":
        """The palette that factors ask for."""
        flesh = between(SKINS, skin).changed(chroma=1.08 - 0.25 * smoothstep(0.6, 1, age))
        grown = between(HAIRS, hair_hue)
        # Fair hair on deep skin is honey rather than straw.
        grown = grown.changed(
            1 - 0.3 * (1 - skin) * hair_hue, 1 + 0.1 * (1 - skin), 0.32 * (1 - skin)
        )
        grey = smoothstep(0.6, 0.95, age)
        grown = grown.mixed(of_lch(0.62 + 0.24 * age * grey, 0.008, 0.7), grey * 0.92)
        cloth = of_lch(0.63 + 0.06 * _yellow(clothes), 0.115, clothes)
        accent = of_lch(0.68 + 0.06 * _yellow(clothes + 0.45), 0.135, clothes + 0.45)
        back = of_lch(0.785 + 0.055 * _yellow(background), 0.092, background)
        irises = (of_lch(0.36, 0.06, 0.13), of_lch(0.47, 0.08, 0.17), of_lch(0.56, 0.075, 0.62))
        return cls(
            light,
            flesh,
            flesh.changed(1.07, 0.86, -0.1).raised(0.03),
            flesh.changed(0.74, 1.2, 0.32),
            flesh.changed(0.56, 1.0, 0.42),
            flesh.mixed(of_lch(flesh.lightness * 0.86, 0.17, 0.05), 0.55),
            flesh.mixed(of_lch(0.5, 0.15, 0.04), 0.55),
            grown,
            grown.changed(1.22, 1.0, -0.05).mixed(of_lch(0.95, 0.03, 0.2), 0.12),
            grown.changed(0.72, 1.0, 0.12),
            grown.changed(0.6, 0.95, 0.15),
            grown.changed(0.72, 1.0, 0.05),
            between(irises, hair_hue * 0.9 + 0.25 * (skin > 0.55) * (skin - 0.55)),
            cloth,
            cloth.changed(1.13, 0.9, 0.0),
            cloth.changed(0.72, 1.0, 0.0),
            accent,
            accent.changed(1.14, 0.8, 0.0),
            accent.changed(0.62, 1.0, 0.0),
            back,
            back.changed(1.13, 0.75, 0.0),
            back.changed(0.86, 1.2, 0.0),
        )

    def gradients(self, head: Head, drawing: str) -> str:
        """What the shapes of a drawing refer to, as SVG's definitions."""
        x, y = head.x + 12.5 * self.light, head.y - 9
        hair = (self.hair_lit, 0.0), (self.hair, 0.4), (self.hair_shade, 1.0)
        cloth = (self.cloth_lit, 0.0), (self.cloth, 0.45), (self.cloth_shade, 1.0)
        iris = (
            (self.iris.changed(1.45, 1.2), 0.0),
            (self.iris, 0.62),
            (self.iris.changed(0.6), 1.0),
        )
        known = {
            "skin": _round(x, y, 39, (self.skin_lit, 0), (self.skin, 0.46), (self.skin_shade, 1)),
            "hair": _round(x, y - 12, 46, *hair),
            "behind": _round(x, y, 62, (self.hair, 0), (self.hair_shade, 0.85)),
            "beard": _round(
                x, y, 52, (self.hair_lit, 0), (self.hair, 0.3), (self.hair_shade, 0.85)
            ),
            "cloud": _round(head.x + 12 * self.light, head.y - 22, 44, *hair),
            "curl": (f'cx="{0.5 + 0.18 * self.light:.2f}" cy=".34" r=".72"', _stops(*hair)),
            "cloth": _round(50 + 20 * self.light, 78, 48, *cloth),
            "wool": _round(
                x, y - 16, 40, (self.accent_lit, 0), (self.accent, 0.5), (self.accent_line, 1)
            ),
            "iris": ('cy=".72" r=".75"', _stops(*iris)),
            "blush": (
                "",
                f'<stop offset="0" stop-color="{self.blush}" stop-opacity=".62"/>'
                f'<stop offset="1" stop-color="{self.blush}" stop-opacity="0"/>',
            ),
        }
        return (
            f'<linearGradient id="back" x1="{0.5 + 0.5 * self.light:.2f}" y1="0" '
            f'x2="{0.5 - 0.5 * self.light:.2f}" y2="1">'
            f"{_stops((self.back_lit, 0), (self.back_shade, 1))}</linearGradient>"
        ) + "".join(
            f'<radialGradient id="{name}" {where}>{stops}</radialGradient>'
            for name, (where, stops) in known.items()
            if f"#{name})" in drawing
        )


def _yellow(turn: float) -> float:
    """1 for a yellow, which looks like mud unless it is light, −1 for its opposite."""
    return math.cos(2 * math.pi * (turn - 0.29))


def _round(x: float, y: float, radius: float, *stops: tuple[Colour, float]) -> tuple[str, str]:
    """A radial gradient's place in the drawing, and its colours."""
    place = f'gradientUnits="userSpaceOnUse" cx="{x:.2f}" cy="{y:.2f}" r="{radius}"'
    return place, _stops(*stops)


def _stops(*stops: tuple[Colour, float]) -> str:
    return "".join(f'<stop offset="{at}" stop-color="{colour}"/>' for colour, at in stops)

"""The palettes of a portrait, in Oklab, where equal steps look equal.

References:
    Björn Ottosson, *A perceptual color space for image processing*, 2020,
    https://bottosson.github.io/posts/oklab/
"""

__all__ = ["HAIRS", "SKINS", "Colour", "between", "of_hex", "of_lch"]

import functools
import math
from collections.abc import Sequence
from typing import NamedTuple


class Colour(NamedTuple):
    """A colour in Oklab.

    Arguments:
        lightness: 0 is black, 1 is white.
        a: From green to red.
        b: From blue to yellow.
    """

    lightness: float
    a: float
    b: float

    def mixed(self, other: "Colour", share: float) -> "Colour":
        """Towards another colour; at a share of 1, it."""
        return Colour(
            *(mine + share * (its - mine) for mine, its in zip(self, other, strict=True))
        )

    def changed(
        self, lightness: float = 1.0, chroma: float = 1.0, warmer: float = 0.0
    ) -> "Colour":
        """The same colour lighter or darker, stronger or weaker.

        Arguments:
            lightness: What its lightness is multiplied by.
            chroma: What its chroma is multiplied by.
            warmer: Radians that its hue turns towards red.
        """
        hue = math.atan2(self.b, self.a)
        size = math.hypot(self.a, self.b) * chroma
        hue -= warmer * (1 if hue > 0 else -1)
        return Colour(self.lightness * lightness, size * math.cos(hue), size * math.sin(hue))

    def raised(self, by: float) -> "Colour":
        """The same colour with so much more lightness."""
        return self._replace(lightness=self.lightness + by)

    def __str__(self) -> str:
        """As SVG writes it, the nearest colour that a screen has."""
        return _written(*self)


@functools.lru_cache(maxsize=256)
def _written(light: float, a: float, b: float) -> str:
    long = (light + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (light - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (light - 0.0894841775 * a - 1.2914855480 * b) ** 3
    channels = (
        4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short,
        -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short,
        -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short,
    )
    return "#" + "".join(f"{round(255 * _encoded(channel)):02x}" for channel in channels)


def _encoded(linear: float) -> float:
    """A linear channel as sRGB writes it, in [0, 1]."""
    linear = min(max(linear, 0.0), 1.0)
    return 12.92 * linear if linear <= 0.0031308 else 1.055 * linear ** (1 / 2.4) - 0.055


def of_lch(lightness: float, chroma: float, turn: float) -> Colour:
    """A colour by its hue, in turns of the colour circle from red by yellow and blue."""
    hue = 2 * math.pi * turn
    return Colour(lightness, chroma * math.cos(hue), chroma * math.sin(hue))


def of_hex(text: str) -> Colour:
    """A colour by the six digits that a screen knows it by."""
    red, green, blue = (
        channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4
        for channel in (int(text[at : at + 2], 16) / 255 for at in (0, 2, 4))
    )
    long = (0.4122214708 * red + 0.5363325363 * green + 0.0514459929 * blue) ** (1 / 3)
    medium = (0.2119034982 * red + 0.6806995451 * green + 0.1073969566 * blue) ** (1 / 3)
    short = (0.0883024619 * red + 0.2817188376 * green + 0.6299787005 * blue) ** (1 / 3)
    return Colour(
        0.2104542553 * long + 0.7936177850 * medium - 0.0040720468 * short,
        1.9779984951 * long - 2.4285922050 * medium + 0.4505937099 * short,
        0.0259040371 * long + 0.7827717662 * medium - 0.8086757660 * short,
    )


def between(palette: Sequence[Colour], at: float) -> Colour:
    """A colour on the way through a palette; 0 is its first, 1 its last."""
    place = min(max(at, 0.0), 1.0) * (len(palette) - 1)
    index = min(int(place), len(palette) - 2)
    return palette[index].mixed(palette[index + 1], place - index)


# From deep brown to fair.
SKINS = tuple(map(of_hex, ("5b3727", "774a33", "996745", "b98258", "d9a577", "ecc29b", "f7d9c0")))

# From black by brown, chestnut and copper to blond.
HAIRS = tuple(
    map(of_hex, ("221b20", "3a2722", "5a3423", "7d3f25", "b45a2c", "cf8b45", "e3b567", "f0d79a"))
)

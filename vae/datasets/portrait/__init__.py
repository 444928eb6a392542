"""Portraits of our own design: an SVG for every choice of factors."""

__all__ = ["BEARDS", "CLOTHES", "GLASSES", "STYLES", "Sitter", "portrait"]

from vae.datasets.portrait.drawing import BEARDS, CLOTHES, GLASSES, Sitter, portrait
from vae.datasets.portrait.hair import KINDS as STYLES

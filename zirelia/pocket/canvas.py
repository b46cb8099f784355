"""Drawing with vectors: a canvas that gathers SVG, and colour arithmetic.

    canvas = Canvas()
    canvas.circle(128, 110, 40, mix("#ff0000", "#ffffff", 0.5))
    canvas.svg(256)

It knows nothing of people or places.
"""

from __future__ import annotations

import colorsys
import random

SIDE = 256
INK = "#1d1620"


class Canvas:
    """SVG elements in the order in which they are painted; `defs` holds the gradients."""

    def __init__(self) -> None:
        self.elements: list[str] = []
        self.defs: list[str] = []

    def __str__(self) -> str:
        return "".join(self.elements)

    def rect(self, x: float, y: float, w: float, h: float, fill: str, radius: float = 0, opacity: float = 1) -> None:
        corner = f' rx="{radius:g}"' if radius else ""
        self.elements.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{w:.1f}" height="{h:.1f}"{corner} fill="{fill}"{_alpha(opacity)}/>'
        )

    def circle(self, x: float, y: float, r: float, fill: str, opacity: float = 1) -> None:
        self.elements.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{r:.1f}" fill="{fill}"{_alpha(opacity)}/>')

    def ellipse(self, x: float, y: float, rx: float, ry: float, fill: str, opacity: float = 1) -> None:
        self.elements.append(f'<ellipse cx="{x:.1f}" cy="{y:.1f}" rx="{rx:.1f}" ry="{ry:.1f}" fill="{fill}"{_alpha(opacity)}/>')

    def path(self, d: str, fill: str, opacity: float = 1) -> None:
        self.elements.append(f'<path d="{d}" fill="{fill}"{_alpha(opacity)}/>')

    def line(self, d: str, colour: str, width: float, opacity: float = 1, fill: str = "none") -> None:
        self.elements.append(
            f'<path d="{d}" fill="{fill}" stroke="{colour}" stroke-width="{width:g}" stroke-linecap="round" '
            f'stroke-linejoin="round"{_alpha(opacity)}/>'
        )

    def ring(self, x: float, y: float, r: float, colour: str, width: float, glass: float = 0) -> None:
        inside = f'fill="#dff0ff" fill-opacity="{glass:g}"' if glass else 'fill="none"'
        self.elements.append(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{r:.1f}" {inside} stroke="{colour}" stroke-width="{width:g}"/>'
        )

    def gradient(self, name: str, stops: tuple[tuple[float, str, float], ...], to: tuple[float, float]) -> str:
        """Define a linear gradient of (offset, colour, opacity) and return the fill that uses it."""
        inner = "".join(f'<stop offset="{o:g}" stop-color="{c}" stop-opacity="{a:g}"/>' for o, c, a in stops)
        self.defs.append(f'<linearGradient id="{name}" x1="0" y1="0" x2="{to[0]:g}" y2="{to[1]:g}">{inner}</linearGradient>')
        return f"url(#{name})"

    def place(self, other: Canvas, transform: str) -> None:
        """Paint another canvas on this one, moved."""
        self.defs += other.defs
        self.elements.append(f'<g transform="{transform}">{other}</g>')

    def svg(self, size: int) -> str:
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{size}" height="{size}" viewBox="0 0 {SIDE} {SIDE}">'
            f"<defs>{''.join(self.defs)}</defs>{self}</svg>"
        )


def _alpha(opacity: float) -> str:
    return "" if opacity == 1 else f' opacity="{opacity:g}"'


def mix(first: str, second: str, share: float) -> str:
    """Blend two #rrggbb colours; `share` is how much of the second."""
    pairs = zip(_channels(first), _channels(second), strict=True)
    return _hex(tuple(a * (1 - share) + b * share for a, b in pairs))


def darken(colour: str, share: float = 0.3) -> str:
    return mix(colour, "#1a1020", share)


def lighten(colour: str, share: float = 0.3) -> str:
    return mix(colour, "#ffffff", share)


def vary(colour: str, rng: random.Random, amount: float = 0.03) -> str:
    """Nudge hue and lightness, so that two walls of one kind are not the same wall."""
    hue, light, saturation = colorsys.rgb_to_hls(*(c / 255 for c in _channels(colour)))
    hue = (hue + rng.uniform(-amount, amount) / 2) % 1
    light = min(1.0, max(0.0, light + rng.uniform(-amount, amount)))
    return _hex(tuple(c * 255 for c in colorsys.hls_to_rgb(hue, light, saturation)))


def _channels(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _hex(channels: tuple[float, ...]) -> str:
    return "#" + "".join(f"{max(0, min(255, round(c))):02x}" for c in channels)

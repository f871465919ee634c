"""The motif of each genre, as SVG on 200 by 300: the same seed always gives the same drawing.

    draw("Western", random.Random(movie_id), "#ffd27d")    # <circle …/><path …/>

A motif is some shapes in one colour at several opacities; random numbers move and size them.
"""

from collections.abc import Callable, Sequence
from random import Random

Motif = Callable[[Random, str], str]


def draw(genre: str, rng: Random, colour: str) -> str:
    """Return the SVG elements of a genre's motif; arcs for an unknown genre."""
    return MOTIFS.get(genre, _arcs)(rng, colour)


def _circle(x: float, y: float, r: float, colour: str, opacity: float) -> str:
    fill = f'fill="{colour}" opacity="{opacity:.2f}"'
    return f'<circle cx="{x:.0f}" cy="{y:.0f}" r="{r:.0f}" {fill}/>'


def _ring(x: float, y: float, r: float, colour: str, opacity: float, width: float = 2) -> str:
    line = f'fill="none" stroke="{colour}" stroke-width="{width:g}" opacity="{opacity:.2f}"'
    return f'<circle cx="{x:.0f}" cy="{y:.0f}" r="{r:.0f}" {line}/>'


def _shape(points: Sequence[tuple[float, float]], colour: str, opacity: float) -> str:
    at = " ".join(f"{x:.0f},{y:.0f}" for x, y in points)
    return f'<polygon points="{at}" fill="{colour}" opacity="{opacity:.2f}"/>'


def _slashes(rng: Random, colour: str) -> str:
    lean, shift = rng.uniform(50, 110), rng.uniform(-30, 20)
    parts = []
    for n in range(4):
        x, width = shift + n * 58, rng.uniform(10, 34)
        corners = [(x + lean, 0), (x + lean + width, 0), (x + width, 210), (x, 210)]
        parts.append(_shape(corners, colour, 0.2 + 0.17 * n))
    return "".join(parts)


def _mountains(rng: Random, colour: str) -> str:
    sun = _circle(rng.uniform(50, 150), rng.uniform(50, 80), 26, colour, 0.9)
    ranges = []
    for n, opacity in enumerate((0.25, 0.4, 0.6)):
        base, points = 150 + 24 * n, [(0.0, 240.0)]
        points += [(x, base - rng.uniform(0, 70) * (x % 80 != 0)) for x in range(0, 201, 40)]
        ranges.append(_shape([*points, (200, 240)], colour, opacity))
    return sun + "".join(ranges)


def _bubbles(rng: Random, colour: str) -> str:
    return "".join(
        _circle(rng.uniform(0, 200), rng.uniform(0, 190), r, colour, rng.uniform(0.25, 0.8))
        for r in (58, 40, 28, 22, 16, 12, 9, 7)
    )


def _sunrise(rng: Random, colour: str) -> str:
    x = rng.choice((40, 100, 160))
    return "".join(_circle(x, 200, r, colour, 0.22) for r in (190, 150, 112, 78, 46))


def _confetti(rng: Random, colour: str) -> str:
    parts = []
    for _ in range(26):
        x, y, turn = rng.uniform(0, 196), rng.uniform(0, 190), rng.uniform(0, 90)
        opacity, r = rng.uniform(0.35, 0.95), rng.uniform(4, 9)
        box = f'<rect x="{x:.0f}" y="{y:.0f}" width="{2 * r:.0f}" height="{r:.0f}" rx="2" '
        parts.append(
            box + f'fill="{colour}" opacity="{opacity:.2f}" '
            f'transform="rotate({turn:.0f} {x:.0f} {y:.0f})"/>'
        )
    return "".join(parts)


def _blinds(rng: Random, colour: str) -> str:
    moon = _circle(rng.uniform(60, 140), rng.uniform(70, 110), 48, colour, 0.85)
    dark = "".join(
        f'<rect x="0" y="{y}" width="200" height="9" fill="#000" opacity=".55"/>'
        for y in range(8, 200, 18)
    )
    return moon + dark


def _lens(rng: Random, colour: str) -> str:
    x, y = rng.uniform(70, 130), rng.uniform(80, 110)
    rings = "".join(_ring(x, y, r, colour, 0.9 - r / 130, 3) for r in range(12, 100, 11))
    return rings + _circle(x, y, 7, colour, 0.95)


def _spotlight(rng: Random, colour: str) -> str:
    x, floor = rng.uniform(20, 180), rng.uniform(70, 130)
    cone = _shape([(x - 8, -6), (x + 8, -6), (floor + 72, 196), (floor - 72, 196)], colour, 0.3)
    pool = f'<ellipse cx="{floor:.0f}" cy="196" rx="72" ry="17" fill="{colour}" opacity=".75"/>'
    return (
        cone
        + pool
        + _circle(floor, 168, 12, "#000", 0.5)
        + _shape([(floor - 14, 198), (floor + 14, 198), (floor, 166)], "#000", 0.5)
    )


def _stars(rng: Random, colour: str) -> str:
    x, y = rng.uniform(60, 140), rng.uniform(70, 110)
    moon = _circle(x, y, 44, colour, 0.9)
    specks = "".join(
        _circle(rng.uniform(0, 200), rng.uniform(0, 200), rng.uniform(1, 4), colour, 0.8)
        for _ in range(34)
    )
    return specks + moon + _circle(x + 18, y - 10, 38, "#000", 0.45)


def _teeth(rng: Random, colour: str) -> str:
    parts = []
    for x in range(-10, 200, 24):
        parts.append(_shape([(x, 0), (x + 26, 0), (x + 13, rng.uniform(50, 120))], colour, 0.75))
        parts.append(
            _shape([(x, 215), (x + 26, 215), (x + 13, rng.uniform(130, 190))], colour, 0.4)
        )
    return "".join(parts)


def _waves(rng: Random, colour: str) -> str:
    parts, high = [], rng.uniform(18, 40)
    for n in range(8):
        y, opacity = 30 + 22 * n, 0.3 + 0.08 * n
        curve = f"M0 {y} q50 {-high:.0f} 100 0 t100 0"
        parts.append(
            f'<path d="{curve}" fill="none" stroke="{colour}" stroke-width="6" '
            f'opacity="{opacity:.2f}"/>'
        )
    return "".join(parts)


def _keyhole(rng: Random, colour: str) -> str:
    x = rng.uniform(75, 125)
    rays = "".join(
        _shape([(x, 88), (x + 260 * a, 300), (x + 260 * a + 34, 300)], colour, 0.16)
        for a in (-0.9, -0.45, 0.0, 0.45, 0.9)
    )
    hole = _circle(x, 80, 30, colour, 0.92)
    return (
        rays
        + hole
        + _shape([(x - 12, 92), (x + 12, 92), (x + 24, 170), (x - 24, 170)], colour, 0.92)
    )


def _pair(rng: Random, colour: str) -> str:
    r, y = rng.uniform(44, 60), rng.uniform(85, 115)
    return _circle(100 - r / 2, y, r, colour, 0.5) + _circle(100 + r / 2, y + 8, r, colour, 0.6)


def _planet(rng: Random, colour: str) -> str:
    x, y, r = rng.uniform(70, 130), rng.uniform(80, 110), rng.uniform(34, 52)
    turn = rng.uniform(-35, 35)
    orbits = "".join(
        f'<ellipse cx="{x:.0f}" cy="{y:.0f}" rx="{r * k:.0f}" ry="{r * k / 3:.0f}" fill="none" '
        f'stroke="{colour}" stroke-width="3" opacity=".6" '
        f'transform="rotate({turn:.0f} {x:.0f} {y:.0f})"/>'
        for k in (1.5, 1.9, 2.3)
    )
    specks = "".join(
        _circle(rng.uniform(0, 200), rng.uniform(0, 200), 1.6, colour, 0.9) for _ in range(24)
    )
    return specks + _circle(x, y, r, colour, 0.85) + orbits


def _squares(rng: Random, colour: str) -> str:
    turn, step = rng.uniform(4, 14), rng.uniform(15, 20)
    return "".join(
        f'<rect x="{100 - n * step:.0f}" y="{100 - n * step:.0f}" width="{2 * n * step:.0f}" '
        f'height="{2 * n * step:.0f}" fill="none" stroke="{colour}" stroke-width="5" '
        f'opacity="{1 - n * 0.1:.2f}" transform="rotate({n * turn:.0f} 100 100)"/>'
        for n in range(1, 8)
    )


def _chevrons(rng: Random, colour: str) -> str:
    x, step = rng.uniform(80, 120), rng.uniform(26, 34)
    return "".join(
        f'<path d="M{x - 110:.0f} {20 + n * step + 60:.0f} L{x:.0f} {20 + n * step:.0f} '
        f'L{x + 110:.0f} {20 + n * step + 60:.0f}" fill="none" stroke="{colour}" '
        f'stroke-width="12" opacity="{0.8 - n * 0.12:.2f}"/>'
        for n in range(6)
    )


def _mesa(rng: Random, colour: str) -> str:
    x = rng.uniform(60, 140)
    sun = _circle(x, 120, 52, colour, 0.9)
    far = [(0, 165), (30, 165), (38, 130), (78, 130), (86, 165), (120, 165), (128, 110)]
    land = _shape([*far, (176, 110), (184, 165), (200, 165), (200, 240), (0, 240)], "#000", 0.5)
    return sun + land


def _arcs(rng: Random, colour: str) -> str:
    x = rng.choice((0, 200))
    return "".join(_ring(x, 30, r, colour, 0.75 - r / 400, 12) for r in range(30, 230, 32))


MOTIFS: dict[str, Motif] = {
    "Action": _slashes,
    "Adventure": _mountains,
    "Animation": _bubbles,
    "Children": _sunrise,
    "Comedy": _confetti,
    "Crime": _blinds,
    "Documentary": _lens,
    "Drama": _spotlight,
    "Fantasy": _stars,
    "Film-Noir": _blinds,
    "Horror": _teeth,
    "Musical": _waves,
    "Mystery": _keyhole,
    "Romance": _pair,
    "Sci-Fi": _planet,
    "Thriller": _squares,
    "War": _chevrons,
    "Western": _mesa,
}

"""Procedural textures: [n,n,3] uint8, from seeded draws. The families of 'heldout' are never drawn by 'train'."""

from __future__ import annotations

import colorsys
from collections.abc import Callable

import numpy as np

from hoigen.sources.mujoco.draws import Draws

Family = Callable[[Draws, int, np.ndarray, np.ndarray], np.ndarray]

HUES = (
    (14, 'red'),
    (42, 'orange'),
    (68, 'yellow'),
    (165, 'green'),
    (195, 'turquoise'),
    (255, 'blue'),
    (290, 'purple'),
    (340, 'pink'),
    (360, 'red'),
)
COLOURS = ('black', 'grey', 'white', 'brown', 'beige', *dict.fromkeys(name for _, name in HUES))
PALE, MUTED = 0.10, 0.40
"""Saturations under which a colour is grey, and under which a warm one is beige."""


def draw_colour(draws: Draws) -> tuple[np.ndarray, str]:
    """A pleasing object colour, [3] float64 in 0..1, and its name."""
    if draws.chance(0.15):
        colour = np.full(3, draws.look(0.12, 0.95)) * np.array([1.0, 0.99, 0.97])
    else:
        hue, saturation, value = draws.look(0, 360), draws.look(0.50, 0.92), draws.look(0.55, 0.92)
        colour = np.array(colorsys.hsv_to_rgb(hue / 360, saturation, value))
    return colour, colour_name(colour)


def colour_name(colour: np.ndarray) -> str:
    """One of :data:`COLOURS` for a colour [3] in 0..1."""
    hue, saturation, value = colorsys.rgb_to_hsv(*colour)
    if saturation < PALE:
        return 'black' if value < 0.3 else 'white' if value > 0.8 else 'grey'
    name = next(n for limit, n in HUES if 360 * hue <= limit)
    if name == 'orange' and value < 0.68:
        return 'brown'
    return 'beige' if name in ('orange', 'yellow') and saturation < MUTED else name


def draw_muted(draws: Draws) -> np.ndarray:
    """A quiet colour for a surface that should not draw the eye, [3] float64 in 0..1: mostly sand, stone and sky."""
    value, saturation = draws.look(0.42, 0.82), draws.look(0.03, 0.30)
    if draws.chance(0.6):
        hue = draws.look(0.05, 0.14)
    else:
        hue = draws.look(0.33, 0.68) if draws.chance(0.75) else draws.look(0, 1)
    return np.array(colorsys.hsv_to_rgb(hue, saturation, value))


def noise(draws: Draws, n: int, slope: float, stretch: tuple[float, float] = (1, 1)) -> np.ndarray:
    """Tileable spectral noise [n,n] with mean 0 and deviation 1; stretch > 1 lengthens it along (x, y)."""
    fy, fx = np.meshgrid(np.fft.fftfreq(n) * n, np.fft.rfftfreq(n) * n, indexing='ij')
    radius = np.maximum(np.hypot(fx * stretch[0], fy * stretch[1]), 1.0)
    shape = radius.shape
    phase = draws.rng.random(shape, dtype=np.float32) * np.float32(2 * np.pi)
    spectrum = (radius**-slope).astype(np.float32) * np.exp(1j * phase).astype(np.complex64)
    spectrum[0, 0] = 0
    field = np.fft.irfft2(spectrum, (n, n)).astype(np.float32)
    return field / field.std()


def _uv(n: int) -> tuple[np.ndarray, np.ndarray]:
    u = (np.arange(n, dtype=np.float32) + 0.5) / n
    return np.meshgrid(u, u)


def _mix(a: np.ndarray, b: np.ndarray, weight: np.ndarray) -> np.ndarray:
    w = np.clip(weight, 0, 1)[..., None]
    return a * (1 - w) + b * w


def _smooth(x: np.ndarray, n: int, width: float = 1.5) -> np.ndarray:
    """A soft step at 0 about ``width`` pixels wide, for a coordinate that spans 1 over the picture."""
    return np.clip(x * n / width + 0.5, 0, 1)


# --- tables ---------------------------------------------------------------------------------------------------------


def _wood_tone(colour: np.ndarray) -> np.ndarray:
    """The colour's own lightness in a wood's range of hues."""
    hue, saturation, value = colorsys.rgb_to_hsv(*colour)
    return np.array(colorsys.hsv_to_rgb(0.045 + 0.06 * hue, 0.35 + 0.4 * saturation, value))


def _grain(draws: Draws, n: int, base: np.ndarray, accent: np.ndarray) -> np.ndarray:
    base, accent = _wood_tone(base), _wood_tone(accent) * 0.75
    wave = noise(draws, n, 2.2, (0.35, 4.0)) * 0.9 + 0.35 * noise(draws, n, 0.9, (0.08, 1.0))
    rings = 0.5 + 0.5 * np.sin(2.4 * wave * draws.look(1.0, 2.0))
    return _mix(base, accent, 0.15 + 0.6 * rings) * (1 + 0.04 * noise(draws, n, 0.4, (0.05, 1)))[..., None]


def _planks(draws: Draws, n: int, base: np.ndarray, accent: np.ndarray) -> np.ndarray:
    count = draws.pick((4, 5, 6, 8))
    _, v = _uv(n)
    plank = np.floor(v * count).astype(int)
    tone = draws.rng.uniform(-0.12, 0.12, count)[plank]
    wood = _grain(draws, n, base, accent) * (1 + tone)[..., None]
    seam = np.minimum(v * count % 1, 1 - v * count % 1) / count
    return wood * (0.45 + 0.55 * _smooth(seam - 0.0015, n))[..., None]


def _marble(draws: Draws, n: int, base: np.ndarray, accent: np.ndarray) -> np.ndarray:
    veins = np.abs(noise(draws, n, 1.9))
    return _mix(_mix(base, accent, 0.25 + 0.12 * noise(draws, n, 2.0)), accent * 0.75, np.exp(-9 * veins) * 0.8)


def _granite(draws: Draws, n: int, base: np.ndarray, accent: np.ndarray) -> np.ndarray:
    speck = noise(draws, n, 0.7)
    out = _mix(base, accent, 0.3 + 0.2 * noise(draws, n, 1.2))
    return _mix(_mix(out, accent * 0.5, (speck > 1.3) * 0.8), np.minimum(base * 1.4, 1), (speck < -1.4) * 0.8)


def _linen(draws: Draws, n: int, base: np.ndarray, accent: np.ndarray) -> np.ndarray:
    u, v = _uv(n)
    threads = n / 6
    weave = np.sin(2 * np.pi * threads * u) * np.sin(2 * np.pi * threads * v)
    yarn = noise(draws, n, 0.7, (0.05, 1)) + noise(draws, n, 0.7, (1, 0.05))
    return _mix(base, accent, 0.3 + 0.12 * weave + 0.09 * yarn)


def _painted(draws: Draws, n: int, base: np.ndarray, accent: np.ndarray) -> np.ndarray:
    return _mix(base, accent, 0.25 + 0.10 * noise(draws, n, 1.6)) * (1 + 0.012 * noise(draws, n, 0.2))[..., None]


def _tiles(draws: Draws, n: int, base: np.ndarray, accent: np.ndarray) -> np.ndarray:
    count = draws.pick((5, 6, 8, 10))
    u, v = _uv(n)
    tone = draws.rng.uniform(0, 0.45, (count, count))[(v * count).astype(int), (u * count).astype(int)]
    edge = np.minimum(np.minimum(u * count % 1, 1 - u * count % 1), np.minimum(v * count % 1, 1 - v * count % 1))
    body = _mix(base, accent, tone + 0.06 * noise(draws, n, 1.4))
    return _mix(np.minimum(base * 0.3 + 0.5, 1), body, _smooth(edge / count - 0.004, n, 2))


def _gingham(draws: Draws, n: int, base: np.ndarray, accent: np.ndarray) -> np.ndarray:
    count = draws.pick((7, 9, 12))
    u, v = _uv(n)
    cloth = base * 0.2 + 0.66
    bands = (np.floor(2 * count * u) % 2 + np.floor(2 * count * v) % 2) / 2
    yarn = noise(draws, n, 0.6, (0.05, 1)) + noise(draws, n, 0.6, (1, 0.05))
    return _mix(cloth, accent, 0.9 * bands) * (1 + 0.03 * yarn)[..., None]


def _terrazzo(draws: Draws, n: int, base: np.ndarray, accent: np.ndarray) -> np.ndarray:
    chips = draws.rng.random((60, 2)).astype(np.float32)
    nearest, cell = _nearest(chips, n)
    colours = np.clip(np.stack([base, accent, accent * 0.6, base * 1.25, (base + accent) / 2]), 0, 1)
    chip = colours[cell % 5]
    inside = _smooth(0.045 - nearest + 0.012 * noise(draws, n, 1.2), n, 2)
    return _mix(base * 0.3 + 0.52, chip, inside * 0.85)


def _cork(draws: Draws, n: int, base: np.ndarray, accent: np.ndarray) -> np.ndarray:
    blotch = noise(draws, n, 1.0)
    warm = np.array([0.72, 0.53, 0.34])
    return _mix(_mix(warm, base, np.full((n, n), 0.25)), accent * 0.4, 0.22 + 0.22 * blotch)


# --- walls ----------------------------------------------------------------------------------------------------------


def _plaster(draws: Draws, n: int, base: np.ndarray, accent: np.ndarray) -> np.ndarray:
    _, v = _uv(n)
    return _mix(base, accent, 0.5 * v + 0.06 * noise(draws, n, 1.8))


def _wallpaper(draws: Draws, n: int, base: np.ndarray, accent: np.ndarray) -> np.ndarray:
    u, _ = _uv(n)
    stripes = 0.5 + 0.5 * np.sin(2 * np.pi * draws.pick((8, 12, 16)) * u)
    return _mix(base, accent, 0.25 + 0.5 * _smooth(stripes - 0.5, n, 40) + 0.04 * noise(draws, n, 1.5))


def _bricks(draws: Draws, n: int, base: np.ndarray, accent: np.ndarray) -> np.ndarray:
    u, v = _uv(n)
    rows, columns = 16, 8
    row = np.floor(v * rows).astype(int)
    x = (u * columns + 0.5 * (row % 2)) % columns
    tone = draws.rng.uniform(0, 0.6, (rows, columns))[row, x.astype(int)]
    edge = np.minimum(np.minimum(x % 1, 1 - x % 1) / columns, np.minimum(v * rows % 1, 1 - v * rows % 1) / rows)
    body = _mix(base, accent, tone + 0.1 * noise(draws, n, 1.2))
    return _mix(np.minimum(base * 0.3 + 0.55, 1), body, _smooth(edge - 0.004, n, 3))


def _bokeh(draws: Draws, n: int, base: np.ndarray, accent: np.ndarray) -> np.ndarray:
    """An out-of-focus room: broad soft shapes in both colours."""
    out = _mix(base, accent, 0.5 + 0.35 * noise(draws, n, 2.6))
    return _mix(out, np.minimum(base * 0.5 + 0.5, 1), np.clip(0.5 * noise(draws, n, 3.0) - 0.3, 0, 0.6))


def _panels(draws: Draws, n: int, base: np.ndarray, accent: np.ndarray) -> np.ndarray:
    u, v = _uv(n)
    x, y = u * draws.pick((6, 9)) % 1, v * 3 % 1
    edge = np.minimum(np.minimum(x, 1 - x), np.minimum(y, 1 - y))
    return _mix(
        base, accent, 0.2 + 0.35 * (edge > 0.12) + 0.3 * (np.abs(edge - 0.12) < 0.02) + 0.05 * noise(draws, n, 1.6)
    )


def _dusk(draws: Draws, n: int, base: np.ndarray, accent: np.ndarray) -> np.ndarray:
    """Diagonal light falling over a wall."""
    u, v = _uv(n)
    beam = np.sin(2 * np.pi * (2 * u + 3 * v) + 0.8 * noise(draws, n, 2.8))
    return _mix(base, np.minimum(accent * 0.6 + 0.4, 1), 0.35 + 0.25 * beam)


# --- objects --------------------------------------------------------------------------------------------------------


def _solid(draws: Draws, n: int, base: np.ndarray, accent: np.ndarray) -> np.ndarray:
    return base * (1 + 0.025 * noise(draws, n, 1.4))[..., None]


def _bands(draws: Draws, n: int, base: np.ndarray, accent: np.ndarray) -> np.ndarray:
    _, v = _uv(n)
    count, share = draws.pick((2, 3, 4, 6)), draws.look(0.3, 0.5)
    return _mix(base, accent, _smooth(0.5 - np.abs(v * count % 1 - 0.5) - (0.5 - share / 2), n, 6))


def _staves(draws: Draws, n: int, base: np.ndarray, accent: np.ndarray) -> np.ndarray:
    u, _ = _uv(n)
    count = draws.pick((4, 6, 8, 10))
    return _mix(base, accent, _smooth(np.sin(2 * np.pi * count * u) - 0.1, n, 16))


def _dots(draws: Draws, n: int, base: np.ndarray, accent: np.ndarray) -> np.ndarray:
    u, v = _uv(n)
    count = draws.pick((4, 6, 8))
    y = v * count
    x = u * count + 0.5 * (np.floor(y) % 2)
    distance = np.hypot(x % 1 - 0.5, y % 1 - 0.5)
    return _mix(base, accent, _smooth((draws.look(0.22, 0.34) - distance) / count, n))


def _label(draws: Draws, n: int, base: np.ndarray, accent: np.ndarray) -> np.ndarray:
    """A paper label round the middle with a few printed lines."""
    u, v = _uv(n)
    low, high = draws.look(0.22, 0.34), draws.look(0.62, 0.78)
    paper = np.minimum(accent * 0.25 + 0.72, 1)
    inside = (v > low) & (v < high)
    line = inside & (np.sin(2 * np.pi * 14 * v) > 0.55) & (u * 3 % 1 > 0.2) & (u * 3 % 1 < 0.72)
    stripe = inside & ((v < low + 0.04) | (v > high - 0.04))
    return _mix(_mix(base, paper, inside * 1.0), accent * 0.8, (line | stripe) * 1.0)


def _glaze(draws: Draws, n: int, base: np.ndarray, accent: np.ndarray) -> np.ndarray:
    """Two glazes, the upper one run down over the lower."""
    _, v = _uv(n)
    return _mix(base, accent, _smooth(v - draws.look(0.4, 0.7) + 0.05 * noise(draws, n, 1.8, (1, 0.3)), n, 4))


def _speckle(draws: Draws, n: int, base: np.ndarray, accent: np.ndarray) -> np.ndarray:
    return _mix(base, accent, _smooth(noise(draws, n, 1.0) - 1.1, n, n / 3))


def _checks(draws: Draws, n: int, base: np.ndarray, accent: np.ndarray) -> np.ndarray:
    u, v = _uv(n)
    count = draws.pick((4, 6, 8))
    return _mix(base, accent, (np.floor(u * count) + np.floor(v * count)) % 2)


def _zigzag(draws: Draws, n: int, base: np.ndarray, accent: np.ndarray) -> np.ndarray:
    u, v = _uv(n)
    phase = v * draws.pick((4, 5, 6)) + 0.5 * np.abs(u * draws.pick((6, 8)) % 1 * 2 - 1)
    return _mix(base, accent, _smooth(np.abs(phase % 1 - 0.5) - 0.25, n, 8))


def _patches(draws: Draws, n: int, base: np.ndarray, accent: np.ndarray) -> np.ndarray:
    _, cell = _nearest(draws.rng.random((24, 2)).astype(np.float32), n)
    return np.clip(np.stack([base, accent, base, base * 0.75]), 0, 1)[cell % 4]


def _nearest(seeds: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Distance [n,n] to the nearest seed on the torus, and its index."""
    u, v = _uv(n)
    best, cell = np.full((n, n), 9.0, np.float32), np.zeros((n, n), int)
    for k, (x, y) in enumerate(seeds):
        dx, dy = np.abs(u - x), np.abs(v - y)
        distance = np.hypot(np.minimum(dx, 1 - dx), np.minimum(dy, 1 - dy))
        cell[distance < best] = k
        best = np.minimum(best, distance)
    return best, cell


TABLE_FAMILIES: dict[str, tuple[Family, ...]] = {
    'train': (_grain, _planks, _planks, _marble, _granite, _linen, _painted, _tiles),
    'heldout': (_gingham, _terrazzo, _cork),
}
WALL_FAMILIES: dict[str, tuple[Family, ...]] = {
    'train': (_plaster, _wallpaper, _bricks, _bokeh, _bokeh),
    'heldout': (_panels, _dusk),
}
OBJECT_FAMILIES: dict[str, tuple[Family, ...]] = {
    'train': (_solid, _solid, _bands, _staves, _dots, _label, _glaze, _speckle),
    'heldout': (_checks, _zigzag, _patches),
}


def draw_texture(
    families: dict[str, tuple[Family, ...]], draws: Draws, n: int, base: np.ndarray, accent: np.ndarray
) -> np.ndarray:
    """A texture [n,n,3] uint8 of one of the split's own families in the two colours ([3] in 0..1)."""
    picture = draws.pick(families[draws.split])(draws, n, base, accent)
    return (np.clip(picture, 0, 1) * 255).astype(np.uint8)

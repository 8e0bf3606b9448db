"""A simulated retinal vessel tree around the fovea: arcades, branches that converge on the FAZ, twigs. In mm."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.phantom.fovea import FazOutline

_STEP_MM = 0.08
_CELL_MM = 0.11
"""Grain of the occupancy grid that keeps vessels from running over one another."""
_FIRST_BRANCH = 10
"""Ids below belong to arcades, which branches may cross as arteries and veins do."""
_RESTLESSNESS = 0.22
"""Radians (s.d.) by which a vessel turns from step to step: real ones wind, and no two run parallel for long."""
_PULL = 0.035
"""How fast a vessel turns towards the fovea, per step and radian: stronger makes a starburst that no retina shows."""
_REACH_MM = 5.0
"""Half side of the simulated retina."""

Points = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Vessels:
    """Vessels as step-wise paths, fovea at the origin, x right, y down.

    Attributes
    ----------
    path_mm : float (vessels, points, 2); NaN after a vessel's end
    radius_mm : float (vessels, points)
    """

    path_mm: Points
    radius_mm: Points


@dataclass(frozen=True, slots=True)
class _Shoots:
    """Starting conditions of one generation of vessels; every array has one entry per vessel."""

    at_mm: Points  # (n, 2)
    heading: Points
    radius_mm: Points
    length_mm: Points
    pull: Points
    owner: NDArray[np.int32]


class _Ground:
    """Which vessel holds which cell of the retina; 0 is free."""

    def __init__(self) -> None:
        self.side = int(2 * _REACH_MM / _CELL_MM) + 1
        self.cells = np.zeros((self.side, self.side), np.int32)

    def index(self, at_mm: Points) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        cell = np.clip(((at_mm + _REACH_MM) / _CELL_MM).astype(np.intp), 0, self.side - 1)
        return cell[..., 1], cell[..., 0]


def grow_vessels(rng: np.random.Generator, faz: FazOutline, half_mm: float, *, is_right_eye: bool) -> list[Vessels]:
    """The tree of one eye as generations (arcades, branches, twigs, end twigs).

    ``half_mm`` is half the side of what will be seen: only there twigs are grown. The temporal side of a right
    eye is on the image's left, the disc on its right.
    """
    ground = _Ground()
    arcades = _arcades(rng, nasal=1.0 if is_right_eye else -1.0)
    _claim(ground, arcades, first_id=1)
    generations = [arcades]
    shoots = _from_arcades(rng, arcades, half_mm)
    next_id = _FIRST_BRANCH
    for branching in ((0.24, 0.6, 0.9), (0.20, 0.62, 0.40), (0.0, 0.0, 0.0)):
        grown = _grow(rng, shoots, faz, ground, next_id)
        generations.append(grown)
        if branching[0] == 0.0:
            break
        ids = np.arange(next_id, next_id + len(grown.path_mm), dtype=np.int32)
        next_id += len(grown.path_mm)
        shoots = _side_shoots(rng, grown, ids, half_mm, branching)
    return generations


def _arcades(rng: np.random.Generator, *, nasal: float) -> Vessels:
    """Two arteries and two veins that leave the disc and bend around the macula."""
    t = np.linspace(0.0, 1.0, 150)
    paths, radii = [], []
    tilt = rng.normal(0.0, 0.10)
    for side in (-1.0, 1.0):
        apex = rng.uniform(1.55, 2.5)
        for offset in (0.0, rng.uniform(0.35, 1.3)):
            rise = (apex + offset) * (1.0 - np.exp(-t / rng.uniform(0.10, 0.26)))
            wave = rng.uniform(0.05, 0.14) * np.sin(2 * np.pi * (rng.uniform(1, 2) * t + rng.random()))
            wave += 0.04 * np.sin(2 * np.pi * (rng.uniform(3, 6) * t + rng.random()))
            fall = 1.0 - rng.uniform(-0.2, 0.5) * np.clip(t - 0.45, 0.0, None) / 0.55
            x, y = nasal * (4.4 - 9.0 * t), side * (0.2 + rise * fall + wave)
            paths.append(np.stack([x - tilt * y, y + tilt * x], axis=-1))
            radii.append(rng.uniform(0.030, 0.058) * (1.0 - 0.6 * t))
    return Vessels(np.stack(paths), np.stack(radii))


def _claim(ground: _Ground, vessels: Vessels, first_id: int) -> None:
    for number, path in enumerate(vessels.path_mm):
        ground.cells[ground.index(path[~np.isnan(path[:, 0])])] = first_id + number


def _from_arcades(rng: np.random.Generator, arcades: Vessels, half_mm: float) -> _Shoots:
    """Branches off the arcades, most of them towards the fovea, and a few straight from the disc's side."""
    at, heading, radius, owner, pull, length = [], [], [], [], [], []
    for number, (path, calibre) in enumerate(zip(arcades.path_mm, arcades.radius_mm, strict=True)):
        place = rng.uniform(0.0, 0.03)
        while place < 1.0:
            k = int(place * (len(path) - 1))
            # The inner vessel of a pair feeds the macula; the outer one feeds both sides.
            inward = number % 2 == 0 or rng.random() < 0.6  # noqa: PLR2004
            to_fovea = float(np.arctan2(-path[k, 1], -path[k, 0]))
            at.append(path[k])
            heading.append(to_fovea + rng.normal(0.0, 0.5) + (0.0 if inward else np.pi))
            radius.append(min(0.8 * calibre[k], rng.uniform(0.015, 0.030)))
            length.append(rng.uniform(2.2, 4.5) if inward else rng.uniform(0.8, 2.0))
            pull.append(1.0 if inward else -0.3)
            owner.append(number + 1)
            place += rng.uniform(0.04, 0.10)
    count = int(rng.integers(5, 9))
    side = np.sign(arcades.path_mm[0, 0, 0])
    for _ in range(count):
        at.append(np.array([side * (half_mm + 0.3 if half_mm < 3.4 else 3.7), rng.uniform(-1.1, 1.1)]))  # noqa: PLR2004
        heading.append((np.pi if side > 0 else 0.0) + rng.normal(0.0, 0.2))
        radius.append(rng.uniform(0.012, 0.022))
        length.append(rng.uniform(1.5, 4.0))
        pull.append(0.6)
        owner.append(0)
    return _Shoots(
        np.array(at), np.array(heading), np.array(radius), np.array(length), np.array(pull), np.array(owner, np.int32)
    )


def _grow(rng: np.random.Generator, shoots: _Shoots, faz: FazOutline, ground: _Ground, first_id: int) -> Vessels:
    """Let all shoots of a generation walk at once until each is spent, leaves, meets another or reaches the FAZ."""
    count = len(shoots.at_mm)
    steps = max(2, int(np.ceil(shoots.length_mm.max(initial=0.0) / _STEP_MM)))
    path = np.full((count, steps + 1, 2), np.nan)
    path[:, 0] = shoots.at_mm
    heading, sway = shoots.heading.copy(), np.zeros(count)
    ids = np.arange(first_id, first_id + count, dtype=np.int32)
    walking = np.arange(count)
    stop_at = 1.05 + rng.exponential(1.1, count)
    kicks = rng.normal(0.0, _RESTLESSNESS, (steps, count))
    for step in range(steps):
        walking = walking[step < shoots.length_mm[walking] / _STEP_MM]
        if walking.size == 0:
            break
        here = path[walking, step]
        angle = np.arctan2(here[:, 1], here[:, 0])
        distance = np.hypot(here[:, 0], here[:, 1])
        turn = np.mod(angle + np.pi - heading[walking] + np.pi, 2 * np.pi) - np.pi
        sway[walking] = 0.72 * sway[walking] + kicks[step, walking]
        heading[walking] += _PULL * shoots.pull[walking] * turn + 0.25 * kicks[step, walking]
        course = heading[walking] + sway[walking]
        ahead = here + _STEP_MM * np.stack([np.cos(course), np.sin(course)], axis=-1)
        held = ground.cells[ground.index(ahead)]
        free = (held < _FIRST_BRANCH) | (held == ids[walking]) | ((held == shoots.owner[walking]) & (step < 4))  # noqa: PLR2004
        free &= (distance > stop_at[walking] * faz.radius_at(angle)) & (np.abs(ahead).max(axis=-1) < _REACH_MM)
        walking, ahead = walking[free], ahead[free]
        path[walking, step + 1] = ahead
        ground.cells[ground.index(ahead)] = ids[walking]
    points = np.sum(~np.isnan(path[..., 0]), axis=1, keepdims=True)
    taper = 1.0 - 0.65 * np.arange(steps + 1) / points
    return Vessels(path, shoots.radius_mm[:, None] * np.clip(taper, 0.3, 1.0))


def _side_shoots(
    rng: np.random.Generator, parents: Vessels, ids: NDArray[np.int32], half_mm: float, how: tuple[float, float, float]
) -> _Shoots:
    """Side branches on both sides of the parents: one per ``how[0]`` mm, ``how[1]`` as thick, about ``how[2]`` long."""
    spacing_mm, thickness, length_mm = how
    inside = np.abs(parents.path_mm).max(axis=-1) < half_mm + 0.4  # NaN compares False
    chosen = inside & (rng.random(inside.shape) < _STEP_MM / spacing_mm)
    chosen[:, 0] = chosen[:, -1] = False
    vessel, point = np.nonzero(chosen)
    at = parents.path_mm[vessel, point]
    along = at - parents.path_mm[vessel, point - 1]
    count = len(at)
    side = rng.choice([-1.0, 1.0], count) * rng.uniform(0.5, 1.15, count)
    return _Shoots(
        at,
        np.arctan2(along[:, 1], along[:, 0]) + side,
        np.maximum(parents.radius_mm[vessel, point] * thickness * rng.uniform(0.8, 1.2, count), 0.005),
        length_mm * rng.uniform(0.5, 1.6, count),
        np.full(count, 0.35),
        ids[vessel],
    )

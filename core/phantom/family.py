"""Families of public scans that phantoms stand for: slab, field, and the look whose statistics match the real ones."""

from dataclasses import dataclass, fields

import numpy as np

from core.phantom.look import DeviceLook
from core.vocabulary import Slab


@dataclass(frozen=True, slots=True)
class Family:
    """One source of scans as phantoms draw it.

    Attributes
    ----------
    look : DeviceLook
        The middle of the family's looks. Fitted by damped Gauss-Newton steps until the statistics of
        core.measures.appearance lie at the medians of the real scans (docs/experiments.md holds the outcome).
    weight : float
        Share of this family among training phantoms.
    """

    slab: Slab
    field_mm: float
    look: DeviceLook
    weight: float


FAMILIES: dict[str, Family] = {
    "coips-superficial": Family(
        Slab.SUPERFICIAL,
        3.0,
        DeviceLook(
            spread_px=0.71,
            speckle=0.2,
            floor=0.2,
            line_noise=0.005,
            gain=1.035,
            black=0.138,
            gamma=0.79,
            mesh_gain=0.65,
            mesh_contrast=0.98,
            shade=0.25,
        ),
        0.3,
    ),
    "coips-deep": Family(
        Slab.DEEP,
        3.0,
        DeviceLook(
            spread_px=0.657,
            speckle=0.3,
            floor=0.165,
            line_noise=0.004,
            gain=1.36,
            black=0.005,
            gamma=1.42,
            mesh_gain=0.66,
            shade=0.3,
        ),
        0.2,
    ),
    "octa500-3mm": Family(
        Slab.INNER_RETINA,
        3.0,
        DeviceLook(
            spread_px=0.535,
            speckle=0.62,
            floor=0.2,
            line_noise=0.013,
            gain=1.2,
            black=0.159,
            gamma=0.717,
            mesh_gain=0.783,
            mesh_contrast=1.0,
            shade=0.25,
        ),
        0.15,
    ),
    "octa500-6mm": Family(
        Slab.INNER_RETINA,
        6.0,
        DeviceLook(
            spread_px=0.6,
            speckle=0.42,
            floor=0.05,
            line_noise=0.012,
            gain=1.4,
            black=0.25,
            gamma=1.25,
            mesh_gain=1.4,
            mesh_contrast=0.56,
            shade=0.1,
        ),
        0.15,
    ),
    "rossa": Family(
        Slab.INNER_RETINA,
        6.0,
        DeviceLook(
            mesh_gain=1.15,
            gamma=1.2,
            spread_px=0.522,
            speckle=0.393,
            floor=0.05,
            line_noise=0.004,
            gain=1.645,
            black=0.089,
            mesh_contrast=1.0,
            shade=0.22,
            macular_dimming=0.624,
        ),
        0.2,
    ),
}
"""Which phantom stands for which public set; the fields of COIPS's deep slab and of ROSSA are not documented."""

_SHARES = ("speckle", "floor", "mesh_contrast", "shade", "macular_dimming")
"""What a look states as a share: never above 1."""


def random_look(rng: np.random.Generator, family: str | None = None) -> DeviceLook:
    """A look around the family's (None: any family's), wide enough that no model can lean on one device's grain."""
    base = FAMILIES[family if family is not None else str(rng.choice(list(FAMILIES)))].look
    changed = {f.name: getattr(base, f.name) * rng.uniform(0.8, 1.2) for f in fields(base) if f.name != "native_px"}
    changed["gain"] = base.gain * rng.uniform(0.88, 1.14)
    changed["gamma"] = base.gamma * rng.uniform(0.88, 1.14)
    # Light varies from scan to scan of one device, not only from device to device.
    changed["shade"] = base.shade * rng.uniform(0.2, 1.3)
    changed["macular_dimming"] = base.macular_dimming * rng.uniform(0.0, 1.7)
    changed |= {name: min(1.0, changed[name]) for name in _SHARES}
    return DeviceLook(native_px=None, **changed)

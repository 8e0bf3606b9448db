"""Calibration sets for tests: exchangeable scans of known truth, by a model that is right more often than not.

Import as `from calibrations import make_calibration`.
"""

from typing import Any

import numpy as np
from scipy.special import expit

from core.scoring.card import Calibration, CalibrationScan
from core.vocabulary import Slab


def make_calibration(n: int = 199, *, seed: int = 6, separation: float = 2.5, **changes: Any) -> Calibration:
    """``n`` scans, a quarter of them ungradable; every fifth shares its group with the one before."""
    rng = np.random.default_rng(seed)
    truth = rng.random(n) < 0.25
    p_ungradable = expit(rng.normal(np.where(truth, separation / 2, -separation / 2), 1.0))
    scans = tuple(
        CalibrationScan(
            group=f"g{index - (index % 5 == 4)}",
            p_ungradable=round(float(p), 6),
            ordinal=0 if p >= 0.5 else 1,
            is_ungradable=bool(is_ungradable),
        )
        for index, (p, is_ungradable) in enumerate(zip(p_ungradable, truth, strict=True))
    )
    values: dict[str, Any] = {
        "labels": "Two masked readers who are not clinicians.",
        "method": "Five folds by group.",
        "sources": ("simulated",),
        "devices": ("Optovue AngioVue",),
        "fields_mm": ((3.0, 3.0), (6.0, 6.0)),
        "slabs": (Slab.SUPERFICIAL, Slab.DEEP),
    }
    return Calibration(**{"scans": scans} | values | changes)

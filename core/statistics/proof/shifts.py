"""How often drift is reported without any, and how often it is found. Simulation only."""

from typing import Any

import numpy as np

from core.statistics.drift import Drift, DriftLevel, drift

N_REFERENCE = 5000
SIZES = (40, 200, 1000)
SHIFTS_SD = (0.0, 0.3, 0.6)
"""Shifts of a device's values, in standard deviations of the reference."""

_SHAPE = 4.0


def drifts(n_devices: int, seed: int) -> list[dict[str, Any]]:
    """Share of devices at each level, by the number of their scans and by the shift of their (skewed) values."""
    rng = np.random.default_rng([seed, 6])
    reference = rng.gamma(_SHAPE, size=N_REFERENCE)
    rows = []
    for n_scans in SIZES:
        for shift_sd in SHIFTS_SD:
            found = [
                drift(reference, rng.gamma(_SHAPE, size=n_scans) - shift_sd * np.sqrt(_SHAPE)) for _ in range(n_devices)
            ]
            levels = [each.level for each in found if isinstance(each, Drift)]
            rows.append(
                {
                    "n_scans": n_scans,
                    "shift_sd": shift_sd,
                    "n_devices": n_devices,
                    "moderate_percent": 100.0 * float(np.mean([level is DriftLevel.MODERATE for level in levels])),
                    "major_percent": 100.0 * float(np.mean([level is DriftLevel.MAJOR for level in levels])),
                }
            )
    return rows

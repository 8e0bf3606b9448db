"""Measures how far vessel densities lie from the truth of phantoms; words figures as the documentation's tables."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from core.measures.vessels import binarise, skeleton_density_per_mm
from core.phantom.family import FAMILIES, random_look
from core.phantom.octa import render_octa
from core.phantom.spec import OctaPhantom, OctaPhantomSpec
from core.values import Measured

_STREAM = 6
"""Second word of the phantoms' seed: no trained phantom is measured."""

_DISEASED = 0.9
"""Greatest strength of capillary drop-out among the phantoms: a correlation needs densities that differ."""


def measure_vessel_bias(*, count: int, seed: int) -> dict[str, Any]:
    """Perfusion and skeleton density of ``count`` clean phantoms per family against the truth of their masks.

    Per family: mean and standard deviation of the perfusion density's error in percentage points, Pearson's r with the
    true density, and the ratio of skeleton densities (measured over that of the true vessels' own skeleton).
    """
    return {
        "count": count,
        "seed": seed,
        "families": [_family_bias(name, count, seed) for name in FAMILIES],
    }


def _family_bias(name: str, count: int, seed: int) -> dict[str, Any]:
    rng = np.random.default_rng([seed, _STREAM])
    rows = np.array([_one(_phantom(rng, name)) for _ in range(count)])
    truth, found, true_length, length = rows.T
    return {
        "family": name,
        "true_percent": _short(truth.mean()),
        "bias_points": _short((found - truth).mean()),
        "sd_points": _short((found - truth).std(ddof=1)),
        "correlation": _short(np.corrcoef(truth, found)[0, 1]),
        "skeleton_ratio": _short((length / true_length).mean()),
        "skeleton_correlation": _short(np.corrcoef(true_length, length)[0, 1]),
    }


def _phantom(rng: np.random.Generator, name: str) -> OctaPhantom:
    family = FAMILIES[name]
    spec = OctaPhantomSpec(
        slab=family.slab,
        field_mm=family.field_mm,
        look=random_look(rng, name),
        nonperfusion=float(rng.uniform(0.0, _DISEASED)),
    )
    return render_octa(spec, int(rng.integers(2**31)))


def _one(phantom: OctaPhantom) -> tuple[float, float, float, float]:
    """True and measured perfusion density in percent, true and measured skeleton density in mm/mm^2."""
    vessels = binarise(phantom.image)
    lengths = [skeleton_density_per_mm(mask, mask.shape, phantom.scale) for mask in (phantom.vessel_mask, vessels)]
    true_length, length = (found.value if isinstance(found, Measured) else 0.0 for found in lengths)
    return 100.0 * float(phantom.vessel_mask.mean()), 100.0 * float(vessels.mean()), true_length, length


def _short(value: np.floating | float) -> float:
    return float(f"{float(value):.4g}")


def bias_table(record: Mapping[str, Any]) -> str:
    """The figures of ``measure_vessel_bias`` as a Markdown table."""
    head = (
        "| phantoms like | true density, % | bias, points | s.d. of the error, points | r with the truth "
        "| skeleton density over the true one | r with the true one |"
    )
    lines = [head, "|---|---|---|---|---|---|---|"]
    lines += [
        f"| {row['family']} | {row['true_percent']:.1f} | {row['bias_points']:+.1f} | {row['sd_points']:.1f} "
        f"| {row['correlation']:.2f} | {row['skeleton_ratio']:.2f} | {row['skeleton_correlation']:.2f} |"
        for row in record["families"]
    ]
    return "\n".join(lines)


def looks_table(before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]]) -> str:
    """Comparisons (``Comparison.as_record``) before and after a change of the phantoms as a Markdown table."""
    head = (
        "| real pool | statistic | 5 % | median | 95 % | phantoms before | distance before | phantoms after "
        "| distance after |"
    )
    lines = [head, "|---|---|---|---|---|---|---|---|---|"]
    for old, new in zip(before, after, strict=True):
        for was, now in zip(old["statistics"], new["statistics"], strict=True):
            lines.append(
                f"| {new['reference']} | {now['name']} | {now['low']:.2f} | {now['median']:.2f} | {now['high']:.2f} "
                f"| {_median(was)} | {was['distance']:.2f} | {_median(now)} | {now['distance']:.2f} |"
            )
    return "\n".join(lines)


def looks_summary(before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]]) -> str:
    """The same, one line per pool: how many medians lie within, and the mean distance."""
    lines = [
        "| real pool | scans | medians within the central 90 %, before | after | mean distance before | after |",
        "|---|---|---|---|---|---|",
    ]
    for old, new in zip(before, after, strict=True):
        counts = [f"{sum(map(_is_within, each['statistics']))} of {len(each['statistics'])}" for each in (old, new)]
        means = [float(np.mean([row["distance"] for row in each["statistics"]])) for each in (old, new)]
        sizes = f"{new['n_reference']} | {counts[0]} | {counts[1]} | {means[0]:.2f} | {means[1]:.2f}"
        lines.append(f"| {new['reference']} | {sizes} |")
    return "\n".join(lines)


def _is_within(row: Mapping[str, Any]) -> bool:
    return bool(row["low"] <= row["other_median"] <= row["high"])


def _median(row: Mapping[str, Any]) -> str:
    """The other set's median; in bold where it leaves the central 90 %."""
    shown = f"{row['other_median']:.2f}"
    return shown if _is_within(row) else f"**{shown}**"

"""Model score and device index of single scans, device by device: pure functions of scores."""

from collections import defaultdict
from collections.abc import Callable, Sequence

import altair as alt
import numpy as np

from core.charts.palette import AMBER
from core.charts.strip import Row, Strips, draw_strips, upright
from core.measures.device_index import INDEX_LIMITS
from core.store.scan_score import ScanScore, ScanScores
from core.wording import SLAB_NAMES

Value = Callable[[ScanScore], float]


def score_rows(scans: Sequence[ScanScore]) -> list[Row]:
    """One row per scan: the model's probability of ungradable."""
    return [_row(scan) | {"value": scan.probability} for scan in scans]


def index_rows(scans: Sequence[ScanScore]) -> list[Row]:
    """One row per capture: the device's own index, all of one name."""
    return [_row(scan) | {"index": scan.index[0], "value": scan.index[1]} for scan in scans if scan.index is not None]


def draw_model_scores(found: ScanScores) -> alt.LayerChart:
    """The model's probability of ungradable of every scan, the device with the highest median first."""
    return _draw(score_rows(found.scans), "Model's probability of ungradable", ".2f", is_high_worse=True)


def draw_index(name: str, scans: Sequence[ScanScore]) -> alt.LayerChart:
    """One index of every capture, the device with the lowest median first; its published limit as a dashed line."""
    limit = INDEX_LIMITS.get(name)
    behind = [] if limit is None else [upright(limit.limit, f"poor below, {limit.device}", dash=(5, 4), color=AMBER)]
    return _draw(index_rows(scans), f"Device's quality index {name}", "~g", is_high_worse=False, behind=behind)


def limit_words(name: str) -> str:
    """Where the dashed line comes from, or that there is none."""
    limit = INDEX_LIMITS.get(name)
    if limit is None:
        return f"For {name} no published limit is in the catalogue."
    return f"Dashed: below {limit.limit:g} a scan was called poor on {limit.device} ({limit.source})."


def _row(scan: ScanScore) -> Row:
    return {
        "scan": scan.scan_id,
        "strip": scan.device_code,
        "device": scan.device_code,
        "site": scan.site_code,
        "subject": scan.subject_code,
        "eye": scan.laterality.value,
        "slab": SLAB_NAMES[scan.slab],
        "day": scan.acquired_at.date().isoformat(),
        "abstained": scan.is_abstained,
    }


def _draw(
    rows: Sequence[Row], title: str, number: str, *, is_high_worse: bool, behind: Sequence[alt.Chart] = ()
) -> alt.LayerChart:
    by_device: dict[str, list[float]] = defaultdict(list)
    for row in rows:
        by_device[str(row["strip"])].append(float(str(row["value"])))
    spans: list[Row] = [_span(device, values) for device, values in by_device.items()]
    sign = -1.0 if is_high_worse else 1.0
    spans.sort(key=lambda span: (sign * float(str(span["middle"])), str(span["strip"])))
    tooltip = [
        alt.Tooltip("scan:Q", title="Scan"), alt.Tooltip("device:N", title="Device"),
        alt.Tooltip("subject:N", title="Subject"), alt.Tooltip("eye:N", title="Eye"),
        alt.Tooltip("slab:N", title="Slab"), alt.Tooltip("day:N", title="Taken"),
        alt.Tooltip("value:Q", title=title, format=number),
    ]  # fmt: skip
    order = [str(span["strip"]) for span in spans]
    domain = (0.0, 1.0) if is_high_worse else None
    return draw_strips(Strips(rows, spans, order, title, number, tooltip, domain), behind)


def _span(device: str, values: Sequence[float]) -> Row:
    low, middle, high = (float(each) for each in np.quantile(values, [0.25, 0.5, 0.75]))
    return {"strip": device, "low": low, "middle": middle, "high": high}

"""Distributions before and now, one upon the other: pure functions of histograms. Draw nothing but charts."""

from collections.abc import Sequence

import altair as alt

from core.charts.inline import chart_of
from core.charts.palette import CALM, FAINT
from core.statistics.drift import Drift
from core.store.finding import N_SCORE_BINS
from core.store.histogram import Histograms
from core.usecases.watch_inputs import DeviceDrift, index_shares, share

BEFORE, NOW = "the year before", "this period"
Row = dict[str, object]


def score_rows(before: Histograms, now: Histograms) -> list[Row]:
    """One row per tenth of the probability of ungradable and side; shares of the scored slabs."""
    return [
        {
            "when": when,
            "from": place / N_SCORE_BINS,
            "to": (place + 1) / N_SCORE_BINS,
            "scans": found.scores.get(place, 0),
            "share": share(found.scores.get(place, 0), found) or 0.0,
        }
        for when, found in ((BEFORE, before), (NOW, now))
        for place in range(N_SCORE_BINS)
    ]


def index_rows(before: Histograms, now: Histograms) -> list[Row]:
    """One row per bin of the device's quality index and side; shares of the captures."""
    rows: list[Row] = []
    for when, found in ((BEFORE, before), (NOW, now)):
        counts = {place: n for (_, place), n in found.indices.items()}
        rows += [
            {"when": when, "from": place, "share": value, "scans": counts[place]}
            for place, value in index_shares(found).items()
        ]
    return rows


def draw_scores(before: Histograms, now: Histograms) -> alt.Chart:
    """The model's probability of ungradable, before and now."""
    return _draw(score_rows(before, now), "Model's probability of ungradable", ".1f")


def draw_indices(before: Histograms, now: Histograms) -> alt.Chart:
    """The device's own quality index, before and now."""
    return _draw(index_rows(before, now), "Device's quality index", "~g")


def _draw(rows: Sequence[Row], title: str, number: str) -> alt.Chart:
    sides = [BEFORE, NOW]
    legend = alt.Legend(orient="top")
    colour = alt.Color("when:N", title=None, scale=alt.Scale(domain=sides, range=[FAINT, CALM]), legend=legend)
    tooltip = [
        alt.Tooltip("when:N", title="When"), alt.Tooltip("from:Q", title="From", format=number),
        alt.Tooltip("share:Q", title="Share", format=".1%"), alt.Tooltip("scans:Q", title="Count"),
    ]  # fmt: skip
    chart: alt.Chart = (
        chart_of(rows)
        .mark_bar()
        .encode(
            x=alt.X("from:O", title=f"{title}, from", axis=alt.Axis(format=number, labelAngle=0)),
            xOffset=alt.XOffset("when:N", sort=sides),
            y=alt.Y("share:Q", title="Share", axis=alt.Axis(format=".0%", tickCount=5)),
            color=colour,
            tooltip=tooltip,
        )
        .properties(height=240)
    )
    return chart


def drift_rows(devices: Sequence[DeviceDrift]) -> list[Row]:
    """One row per device, as the table and the download have it."""
    rows: list[Row] = []
    for each in devices:
        row: Row = {
            "device": each.device.code, "site": each.device.site_code, "model": each.device.model,
            "level": each.level.value if each.is_judged else "too few to judge",
            "scans_before": each.device.before.n_slabs, "scans_now": each.device.now.n_slabs,
            "abstained_now": share(each.device.now.abstained, each.device.now),
            "strangers_now": share(each.device.now.strangers, each.device.now),
        }  # fmt: skip
        for name, found in (("score", each.scores), ("index", each.index)):
            if isinstance(found, Drift):
                row |= {
                    f"{name}_psi": found.psi.value, f"{name}_js": found.jensen_shannon.value,
                    f"{name}_wasserstein": found.wasserstein.value, f"{name}_shift": found.shift,
                }  # fmt: skip
        rows.append(row)
    return rows

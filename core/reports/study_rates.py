"""The first half of the study report: rates by week and site, the matrix of indicators, the funnel and the trend."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from core.charts.captions import (
    CONTROL_CAPTION,
    FOREST_CAPTIONS,
    FUNNEL_CAPTION,
    MATRIX_CAPTION,
    SUMS_CAPTION,
    WEEKS_CAPTION,
)
from core.charts.control import draw_control, draw_cusum, draw_ewma
from core.charts.funnel import (
    FEWER,
    MOST_IN_FOREST,
    WATCH,
    WORSE,
    Estimate,
    draw_forest,
    draw_funnel,
    standing,
)
from core.charts.matrix import ARROWS, HEADS, SIGNS, cell_words, matrix_sentences
from core.charts.palette import AMBER, BETTER, FAINT, RED
from core.charts.trend_sentences import baseline_words, cusum_words, lead_words, rising_points
from core.charts.weekly import draw_counts, draw_rates, week_points
from core.reports.blocks import HALF_PX, Section, figure, figures, lead, note
from core.reports.parts import Cell, Part, bar, chip, interval, named, of, share, table
from core.reports.scope import Scope
from core.statistics.clustering import proportion_or_none
from core.store.mark import Mark
from core.store.overview import GroupTally, Overview
from core.store.unit import UnitKind
from core.usecases.flag_sites import Cell as FlagCell
from core.usecases.flag_sites import FlagMatrix, Light
from core.usecases.judge_units import JudgedUnit, UnitComparison
from core.usecases.watch_units import Trend, Watch, watch_units
from core.values import NotComputable
from core.wording import count

MOST_ROWS = 40
"""Rows of a table; more are on the pages."""
_TONES = {WORSE: "bad", WATCH: "warn", FEWER: "good"}
_LIGHTS = {Light.RED: RED, Light.AMBER: AMBER, Light.GREEN: BETTER, Light.UNKNOWN: FAINT}
_UNIT_WORDS = {UnitKind.SITE: ("Sites", "site"), UnitKind.DEVICE: ("Devices", "device")}


def rates_section(overview: Overview, marks: Sequence[Mark], factor: float) -> Section:
    """Both rates by week, and by site."""
    points = week_points(overview.weeks, factor)
    weeks = figure(
        draw_rates(points, marks), height_px=210, caption="",
        alt_text="First-pass and final gradable rate by week of acquisition, with 95 % intervals.",
    )  # fmt: skip
    counts = figure(
        draw_counts(points), height_px=70, caption=WEEKS_CAPTION, alt_text="First captures decided, by week.",
    )  # fmt: skip
    judged = [group for group in overview.sites if group.is_judged]
    few = [group for group in overview.sites if not group.is_judged]
    ordered = sorted(judged, key=lambda group: (group.tally.gradable / group.tally.decided, group.code))
    return Section(
        "Rates by week and by site",
        [
            figures(weeks), figures(counts), {"heading": "By site, the lowest first-pass rate first"},
            {"table": _group_table([*ordered, *few], factor)},
            note("First captures; final: expected scans. Sites with too few to judge stand last and are not ranked."),
        ],
    )  # fmt: skip


def _group_table(groups: Sequence[GroupTally], factor: float) -> Part:
    heads = (
        ("Site", "left", "1.5fr"), ("Received", "right", "auto"), ("First pass", "right", "auto"),
        ("95 % interval", "left", "26mm"), ("Gradable / decided", "right", "auto"), ("Final", "right", "auto"),
        ("95 % interval", "left", "26mm"), ("Gradable / received", "right", "auto"),
    )  # fmt: skip
    return table(heads, [_group_row(group, factor) for group in groups[:MOST_ROWS]])


def _group_row(group: GroupTally, factor: float) -> list[Cell]:
    tally = group.tally
    first = proportion_or_none(tally.gradable, tally.decided, factor)
    final = proportion_or_none(tally.final_gradable, tally.final_received, factor)
    few = " · too few to judge" if not group.is_judged else ""
    return [
        named(group.code, group.name + few), count(tally.received),
        share(first) if group.is_judged else "–", bar(first, is_judged=group.is_judged),
        f"{count(tally.gradable)} / {count(tally.decided)}",
        share(final) if group.is_judged else "–", bar(final, is_judged=group.is_judged),
        f"{count(tally.final_gradable)} / {count(tally.final_received)}",
    ]  # fmt: skip


def matrix_section(matrix: FlagMatrix) -> Section:
    """Which lights are red, since when."""
    first, rest = matrix_sentences(matrix)
    heads = [("Site", "left", "1.4fr"), *((name, "left", "1fr") for name, _ in HEADS.values())]
    rows = [
        [named(row.site.label, row.site.name), *(_flag(cell) for cell in row.cells)] for row in matrix.sites[:MOST_ROWS]
    ]
    return Section(
        "Sites by indicator", [lead(f"**{first}** {rest}"), {"table": table(heads, rows)}, note(MATRIX_CAPTION)]
    )


def _flag(cell: FlagCell) -> Part:
    value, _ = cell_words(cell)
    arrow = f" {ARROWS[cell.change]}" if cell.change else ""
    in_a_row = "new" if cell.n_in_a_row == 1 else f"{cell.n_in_a_row}× in a row" if cell.n_in_a_row > 1 else ""
    seen = "seen" if cell.acknowledged is not None else in_a_row
    return {"signed": f"{value}{arrow}", "sign": SIGNS[cell.light], "colour": _LIGHTS[cell.light], "note": seen}


def comparison_section(comparison: UnitComparison) -> Section:
    """Funnel, forest and table of the units of a kind."""
    plural, one = _UNIT_WORDS[comparison.kind]
    title = f"{plural} compared"
    if comparison.funnel is None:
        return Section(title, [lead("Nothing is decided in this period.")])
    red = ", ".join(unit.unit.label for unit in comparison.red)
    first = f"**Above the 99.8 % limit: {red}.**" if red else f"**No {one} lies above the 99.8 % limit.**"
    n_few = sum(not unit.is_judged for unit in comparison.units)
    funnel = figure(
        draw_funnel(comparison), width_px=HALF_PX + 20, height_px=300, caption=FUNNEL_CAPTION,
        alt_text=f"Funnel plot: share of ungradable first captures over the effective number, one mark per {one}.",
    )  # fmt: skip
    cut = f" The {MOST_IN_FOREST} of most concern." if len(comparison.units) > MOST_IN_FOREST else ""
    forest = figure(
        draw_forest(comparison), width_px=HALF_PX - 60, caption=FOREST_CAPTIONS[Estimate.CRUDE] + cut,
        alt_text=f"Forest plot: every {one}'s rate of ungradable first captures with its interval.",
    )  # fmt: skip
    few = f" {n_few} with too few to judge stand last and are not ranked." if n_few else ""
    design = comparison.funnel.design
    return Section(
        title,
        [
            lead(first), figures(funnel, forest, shares=(1.12, 1)),
            {"table": _unit_table(comparison.units[:MOST_ROWS], plural)},
            note(f"Unit of analysis: first captures in patient visits; correlation within visits "
                 f"{design.correlation:.2f}, pooled within {plural.lower()} over {design.n_clusters} visits. q is the "
                 f"share of false alarms to expect among units with a q this small or smaller.{few}"),
        ],
    )  # fmt: skip


def _unit_table(units: Sequence[JudgedUnit], plural: str) -> Part:
    heads = (
        (plural, "left", "1.5fr"), ("Standing", "left", "auto"), ("Ungradable", "right", "auto"),
        ("95 % interval", "right", "auto"), ("Ungradable / decided", "right", "auto"), ("Visits", "right", "auto"),
        ("Effective n", "right", "auto"), ("q", "right", "auto"),
    )  # fmt: skip
    return table(heads, [_unit_row(unit) for unit in units])


def _unit_row(unit: JudgedUnit) -> list[Cell]:
    point, where = unit.point, standing(unit)
    q = point.q_value
    return [
        named(unit.unit.label, unit.unit.name), chip(where, _TONES.get(where, "calm")),
        share(point.rate) if unit.is_judged else "–", interval(point.rate) if unit.is_judged else "–",
        of(point.count.k, point.count.n).replace(" of ", " / "), count(point.count.n_clusters),
        f"{point.effective_n:.1f}", "–" if q is None else "< 0.001" if q < _SMALLEST_Q else f"{q:.3f}",
    ]  # fmt: skip


_SMALLEST_Q = 0.001


def trend_section(session: Session, scope: Scope, marks: Sequence[Mark], *, at: datetime) -> Section:
    """The study against its baseline, and the sites that break a rule."""
    watch = watch_units(session, scope.chosen, UnitKind.SITE, today=at.date())
    if isinstance(watch.trend, NotComputable):
        return Section("Trend", [lead(f"No trend: {watch.trend.reason}.")])
    trend, since = watch.trend, scope.since
    parts = [
        lead(f"**{lead_words(rising_points(trend), 'All sites together')}** {cusum_words(trend)}"),
        figures(figure(
            draw_control(trend, marks, since), height_px=200, caption=CONTROL_CAPTION,
            alt_text="Control chart: share of ungradable first captures over time with limits.",
        )),
    ]  # fmt: skip
    if trend.cusum and trend.ewma:
        parts.append(_sums(trend, scope))
        parts.append(note(SUMS_CAPTION))
    return Section("Trend", [*parts, note(baseline_words(trend)), *_rising_sites(watch)])


def _sums(trend: Trend, scope: Scope) -> Part:
    width_px = HALF_PX
    return figures(
        figure(draw_cusum(trend, scope.since), width_px=width_px, height_px=130, alt_text="CUSUM with its threshold."),
        figure(draw_ewma(trend, scope.since), width_px=width_px, height_px=130, alt_text="EWMA with its thresholds."),
    )


def _rising_sites(watch: Watch) -> list[Part]:
    worse = [each for each in watch.units if each.trend.is_worse]
    few = ", ".join(unit.label for unit in watch.too_few)
    too_few = f" Too few visits for a single point: {few}." if few else ""
    if not worse:
        return [note(f"No site's own chart breaks a rule on the bad side.{too_few}")]
    rows: list[list[Cell]] = [
        [named(each.unit.label, each.unit.name), lead_words(rising_points(each.trend), "Own chart")] for each in worse
    ]
    heads = (("Site", "left", "1fr"), ("What its own chart says", "left", "2fr"))
    return [
        {"heading": f"Sites with a broken rule: {len(worse)} of {len(watch.units)}"}, {"table": table(heads, rows)},
        note(f"Most evidence of failing too often first.{too_few}"),
    ]  # fmt: skip

"""The second half of the study report: why scans fail, agreement of model and people, and the watch over the model."""

from collections.abc import Sequence

import altair as alt
from sqlalchemy.orm import Session

from core.charts.agreement import draw_confusion, draw_kappas
from core.charts.captions import (
    CONFUSION_CAPTION,
    CURES_CAPTION,
    DRIFT_CAPTION,
    HEAT_CAPTION,
    INDICES_CAPTION,
    KAPPA_CAPTION,
    PARETO_CAPTION,
    SCORES_CAPTION,
    SEVERITY_CAPTION,
)
from core.charts.causes import (
    CURES,
    draw_cures,
    draw_heat_map,
    draw_pareto,
    draw_severities,
    most_failing,
    top_cause,
)
from core.charts.drift import draw_indices, draw_scores, index_rows
from core.reports.blocks import FULL_PX, HALF_PX, Section, figure, figures, lead, note
from core.reports.parts import Cell, Part, chip, named, of, table
from core.reports.scope import Scope
from core.reports.versions import Versions
from core.statistics.agreement_intervals import Agreement
from core.statistics.drift import Drift, DriftLevel
from core.statistics.resampling import Interval
from core.store.cause import FindingCounts, Findings
from core.usecases.compare_grades import GradeComparison, GroupBy, compare_grades
from core.usecases.watch_inputs import DeviceDrift, InputWatch, share, watch_inputs
from core.values import NotComputable
from core.wording import REASON_NAMES, count, percent, with_minus

MOST_TIPS, MOST_DEVICES = 6, 30
_LEVELS = {DriftLevel.MAJOR: "bad", DriftLevel.MODERATE: "warn", DriftLevel.NONE: "calm"}


def causes_section(findings: Findings, versions: Versions) -> Section:
    """Pareto, who can cure it, causes by site, severities, and what to do."""
    counts, title = findings.all, "Why scans fail"
    if not counts.failed:
        return Section(title, [lead("**No first capture of this period is ungradable.**")])
    sites = most_failing(findings.sites)
    pareto = figure(draw_pareto(counts), width_px=FULL_PX - 190, caption=PARETO_CAPTION,
                    alt_text="Ungradable first captures by weightiest cause, the most frequent first.")  # fmt: skip
    cures = figure(draw_cures(sites), width_px=HALF_PX - 10, caption=CURES_CAPTION,
                   alt_text="Ungradable first captures by site and by who could cure their cause.")  # fmt: skip
    heat = figure(draw_heat_map(sites, "Site"), width_px=min(FULL_PX - 250, 70 * len(sites) + 60), caption=HEAT_CAPTION,
                  alt_text="Causes of failure by site.")  # fmt: skip
    severe = figure(draw_severities(counts), width_px=HALF_PX - 50, height_px=150, caption=SEVERITY_CAPTION,
                    alt_text="Mild and severe artifacts among all decided captures.")  # fmt: skip
    return Section(
        title,
        [lead(_cause_words(counts)), figures(pareto), figures(cures, severe), figures(heat),
         {"heading": "What to do about it"}, {"table": _tips(counts, versions)},
         note("Unit of analysis: first captures. Remedies are those of the protocol in force.")],
    )  # fmt: skip


def _cause_words(counts: FindingCounts) -> str:
    words = f"**{of(counts.failed, counts.decided)} first captures are ungradable.**"
    top = top_cause(counts)
    if top is not None:
        code, n = top
        words += f" Most often: {REASON_NAMES[code].lower()} ({percent(n / counts.failed)} of the failures)."
    if not counts.repeated:
        return f"{words} No scan was taken again yet."
    return f"{words} Taking scans again helped in {of(counts.repeated_gradable, counts.repeated)} cases."


def _tips(counts: FindingCounts, versions: Versions) -> Part:
    ordered = sorted(counts.first_causes.items(), key=lambda item: (-item[1], item[0]))[:MOST_TIPS]
    rows: list[list[Cell]] = []
    for code, n in ordered:
        reason = versions.protocol.reason(code)
        rows.append([named(REASON_NAMES[code]), of(n, counts.failed), CURES[reason.operator_fixable], reason.remedy])
    heads = (
        ("Weightiest cause", "left", "1fr"), ("Failures", "right", "auto"), ("Cure", "left", "1fr"),
        ("What to do", "left", "2.4fr"),
    )  # fmt: skip
    return table(heads, rows)


def agreement_section(session: Session, scope: Scope) -> Section:
    """The model with people, and people with people, on masked grades."""
    comparison = compare_grades(session, scope.of_study, GroupBy.SITE)
    title = "Agreement"
    pairs = (
        ("Model and people", "Model", "Person", comparison.model),
        ("Person and person", "One person", "Another", comparison.people),
    )
    if not any(isinstance(found, Agreement) for *_, found in pairs):
        return Section(title, [lead("**No masked grades in this period.** Agreement needs grades that people gave "
                                    "without seeing the model's.")])  # fmt: skip
    drawn = [
        figure(draw_confusion(found, first, second), width_px=HALF_PX - 70, height_px=200, caption=f"**{name}.**",
               alt_text=f"Confusion matrix of {first.lower()} and {second.lower()}.")
        for name, first, second, found in pairs
        if isinstance(found, Agreement)
    ]  # fmt: skip
    parts = [{"tiles": [_tile(name, found) for name, _, _, found in pairs]}, figures(*drawn), note(CONFUSION_CAPTION)]
    return Section(title, [*parts, *_kappas(comparison)])


def _kappas(comparison: GradeComparison) -> list[Part]:
    silent = f" {comparison.n_model_silent} grades of scans that the model abstained from are left out."
    last = note(
        "Unit of analysis: scans (slabs), resampled by patient." + (silent if comparison.n_model_silent else "")
    )
    with_kappa = [
        group
        for group in comparison.groups
        if isinstance(group.found, Agreement) and isinstance(group.found.kappa, Interval)
    ]
    if not with_kappa:
        return [last]
    chart = figure(draw_kappas(with_kappa), width_px=FULL_PX - 60, caption=KAPPA_CAPTION,
                   alt_text="Kappa of model and people by site.")  # fmt: skip
    return [figures(chart), last]


def _tile(name: str, found: Agreement | NotComputable) -> Part:
    if isinstance(found, NotComputable):
        return {"label": name, "value": "–", "note": f"Not computable: {found.reason}."}
    kappa = found.kappa
    value = f"κ {kappa.value:.2f}" if isinstance(kappa, Interval) else "κ –"
    span = f"95 % interval {kappa.low:.2f} to {kappa.high:.2f}" if isinstance(kappa, Interval) else kappa.reason
    equal = f"equal in {percent(found.percent.value)} of {count(found.n_scans)} pairs"
    return {"label": name, "value": value, "note": f"{span}; {equal} of {count(found.n_patients)} patients"}


def watch_section(session: Session, scope: Scope, versions: Versions) -> Section:
    """Whether images or scores have drifted."""
    watch = watch_inputs(session, scope.of_study, starts_on=scope.since)
    title = "Model and data watch"
    if not watch.now.n_slabs:
        return Section(title, [lead("**Nothing was scored in this period.**")])
    alt_text = "Distribution of the model's probability of ungradable, this period and the year before."
    drawn = [_histogram(draw_scores(watch.before, watch.now), alt_text, SCORES_CAPTION)]
    if index_rows(watch.before, watch.now):
        alt_text = "Distribution of the device's quality index, this period and the year before."
        drawn.append(_histogram(draw_indices(watch.before, watch.now), alt_text, INDICES_CAPTION))
    models = f"Models whose grades count: {', '.join(versions.models) or 'none'}."
    return Section(
        title,
        [lead(_drift_words(watch)), figures(*drawn), {"table": _drift_table(watch.devices[:MOST_DEVICES])},
         note(f"{DRIFT_CAPTION} {models} Unit of analysis: scored slabs of first captures; of the index, captures.")],
    )  # fmt: skip


def _histogram(chart: alt.Chart, alt_text: str, caption: str) -> Part:
    return figure(chart, alt_text=alt_text, caption=caption, width_px=HALF_PX - 10, height_px=170)


def _drift_words(watch: InputWatch) -> str:
    drifted = [each for each in watch.devices if each.is_judged and each.level is not DriftLevel.NONE]
    n_judged = sum(each.is_judged for each in watch.devices)
    if not n_judged:
        return "**No device has enough scans on both sides to be judged.**"
    names = f": {', '.join(each.device.code for each in drifted)}" if drifted else ""
    verb = "has" if len(drifted) == 1 else "have"
    words = f"**{len(drifted)} of {n_judged} devices that can be judged {verb} drifted{names}.**"
    abstained = share(watch.now.abstained, watch.now)
    if abstained is None:
        return words
    return f"{words} The model abstained from {percent(abstained)} of {count(watch.now.n_slabs)} scans."


def _drift_table(devices: Sequence[DeviceDrift]) -> Part:
    heads = (
        ("Device", "left", "1.6fr"), ("Drift", "left", "auto"), ("Score: PSI", "right", "auto"),
        ("Shift (SD)", "right", "auto"), ("Index: PSI", "right", "auto"), ("Shift (SD)", "right", "auto"),
        ("Abstained", "right", "auto"), ("Scans before / now", "right", "auto"),
    )  # fmt: skip
    return table(heads, [_drift_row(each) for each in devices])


def _drift_row(each: DeviceDrift) -> list[Cell]:
    device = each.device
    level = chip(each.level.value, _LEVELS[each.level]) if each.is_judged else chip("too few to judge")
    abstained = share(device.now.abstained, device.now)
    figures_ = [
        text
        for found in (each.scores, each.index)
        for text in (
            (f"{found.psi.value:.2f}", with_minus(f"{found.shift:+.2f}")) if isinstance(found, Drift) else ("–", "–")
        )
    ]
    return [
        named(device.code, f"{device.site_code} · {device.model}"), level, *figures_,
        "–" if abstained is None else percent(abstained, 1),
        f"{count(device.before.n_slabs)} / {count(device.now.n_slabs)}",
    ]  # fmt: skip

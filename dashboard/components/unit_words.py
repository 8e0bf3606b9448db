"""What a comparison of units says, in sentences: who stands above the red line, and what the numbers mean."""

from collections.abc import Sequence
from urllib.parse import urlencode

from core.statistics.funnel import MIN_COUNTED, MIN_PATIENTS
from core.store.unit import Unit, UnitKind
from core.usecases.judge_units import JudgedUnit, UnitComparison
from dashboard.components.markup import Html, chip, count, join, page_link, percent, tag
from dashboard.filters import filter_query

KIND_NAMES = {
    UnitKind.SITE: "Site",
    UnitKind.DEVICE: "Device serial",
    UnitKind.MODEL: "Model",
    UnitKind.SOFTWARE: "Software version",
    UnitKind.TECHNICIAN: "Technician",
}
PLURALS = {
    UnitKind.SITE: "sites",
    UnitKind.DEVICE: "devices",
    UnitKind.MODEL: "models",
    UnitKind.SOFTWARE: "software versions",
    UnitKind.TECHNICIAN: "technicians",
}


def trend_address(unit: Unit, kind: UnitKind, filters: dict[str, str]) -> str:
    """The address of the unit's trend, with the page's other filters kept."""
    return f"/trends?{urlencode({**filters, **filter_query(unit.within), 'by': kind.value})}"


def act_link(unit: Unit, kind: UnitKind, filters: dict[str, str]) -> Html:
    """From a unit's trend to what is done about it, with the same filters."""
    link = page_link(f"What is done about {unit.label}", "sites", {**filters, "by": kind.value, "unit": unit.key})
    return tag("p", link)


def verdict_words(comparison: UnitComparison, filters: dict[str, str]) -> Html:
    """Who stands above the red line, by name and number; then who should be watched; then who is too small to judge."""
    assert comparison.funnel is not None, "an empty comparison says nothing"
    plural = PLURALS[comparison.kind]
    red, amber = comparison.red, [unit for unit in comparison.units if unit.is_amber]
    few = [unit for unit in comparison.units if not unit.is_judged]
    lead = f"{len(red)} of {comparison.funnel.n_judged} {plural} that can be judged " + (
        "stands" if len(red) == 1 else "stand"
    )
    first = tag("p", tag("b", f"{lead} above the red line."), " ", _named(red, comparison, filters), class_="verdict")
    parts: list[Html] = [first]
    if amber:
        parts.append(tag("p", chip("watch", "warn"), " ", _named(amber, comparison, filters)))
    if few:
        names = ", ".join(unit.unit.label for unit in few)
        rule = f"fewer than {MIN_COUNTED} decided captures or {MIN_PATIENTS} patients"
        parts.append(tag("p", chip("too few to judge"), f" {names}: {rule}.", class_="muted"))
    return tag("div", *parts, class_="verdicts", role="status")


def _named(units: Sequence[JudgedUnit], comparison: UnitComparison, filters: dict[str, str]) -> Html:
    if not units:
        return Html("Differences between them are within what chance allows, or on the good side.")
    assert comparison.funnel is not None, "judged units come from a funnel"
    sentences = []
    for unit in units:
        rate = unit.point.rate
        link = _trend_link(unit.unit, comparison.kind, filters)
        words = f": {percent(rate.value)} of first captures ungradable ({count(rate.k)} of {count(rate.n)})"
        sentences.append(join([link, words]))
    pooled = f"; usual is {percent(comparison.funnel.target)}."
    return join([join(sentences, ", "), pooled])


def _trend_link(unit: Unit, kind: UnitKind, filters: dict[str, str]) -> Html:
    return page_link(unit.label, "trends", {**filters, **filter_query(unit.within), "by": kind.value})


def chosen_unit(comparison: UnitComparison, key: object) -> Unit | None:
    """The unit that a click on a chart named; None for anything else."""
    return next((unit.unit for unit in comparison.units if unit.unit.key == key), None)

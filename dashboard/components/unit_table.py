"""The table behind funnel and forest: every unit with its rates, its standing, its trend and its scans. Markup only."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from core.charts.funnel import FEWER, WATCH, WORSE, standing
from core.statistics.proportions import Proportion
from core.store.unit import UnitKind
from core.usecases.judge_units import JudgedUnit
from core.usecases.look_at_unit import UnitNote
from core.vocabulary import ActionKind
from dashboard.components.action_table import seen_by
from dashboard.components.markup import Html, chip, count, join, page_link, percent, tag
from dashboard.components.unit_words import KIND_NAMES
from dashboard.filters import filter_query

TONES = {WORSE: "bad", WATCH: "warn", FEWER: "good"}
COLUMNS = (
    ("Standing", "", "Against the limits around the usual rate, on the effective number of captures"),
    ("Ungradable", "num", "Share of decided first captures that are ungradable"),
    ("95 % interval", "num", "Wilson's interval on the effective number of captures"),
    ("Ungradable / decided", "num", "First captures"),
    ("Shrunken", "num", "Drawn towards the other units as far as the own numbers are weak"),
    ("Visits", "num", "Patient visits behind the rate"),
    ("Effective n", "num", "Decided captures divided by the design effect of visits"),
    ("q", "num", "Share of false alarms to expect among units with a q this small or smaller (Benjamini and Hochberg)"),
    ("Final gradable", "num", "Expected scans that have a gradable capture by now, replacements included"),
    ("", "", ""),
)  # fmt: skip
_SMALLEST_SHOWN = 0.001


def unit_table(
    units: Sequence[JudgedUnit],
    kind: UnitKind,
    filters: dict[str, str],
    notes: Mapping[str, UnitNote] = MappingProxyType({}),
) -> Html:
    """One row per unit in the given order; its name leads to its trend, its counts to its ungradable scans.

    ``notes`` say beside a unit's standing, by its key, who has seen its flag and what is open about it.
    """
    title = KIND_NAMES[kind]
    heads = [tag("th", name, scope="col", class_=class_ or None, title=hint or None) for name, class_, hint in COLUMNS]
    head = tag("thead", tag("tr", tag("th", title, scope="col"), *heads))
    rows = [_row(unit, kind, filters, notes.get(unit.unit.key, UnitNote())) for unit in units]
    return tag(
        "div", tag("table", head, tag("tbody", *rows)), class_="scroll", tabindex="0", role="region", aria_label=title
    )


def _row(unit: JudgedUnit, kind: UnitKind, filters: dict[str, str], note: UnitNote) -> Html:
    own = {**filters, **filter_query(unit.unit.within)}
    where = standing(unit)
    rate = unit.point.rate
    name = tag("span", unit.unit.name, class_="name", title=unit.unit.name) if unit.unit.name else None
    return tag(
        "tr",
        tag("th", page_link(unit.unit.label, "trends", {**own, "by": kind.value}), name, scope="row"),
        tag("td", join([chip(where, TONES.get(where, "calm")), *note_chips(note)], " ")),
        tag("td", percent(rate.value), class_="num"),
        tag("td", f"{percent(rate.low)} – {percent(rate.high)}", class_="num"),
        tag("td", page_link(_counts(rate), "examples", {**own, "grade": "0"}), class_="num"),
        tag("td", percent(unit.shrunken.value) if unit.shrunken else "–", class_="num"),
        tag("td", count(unit.point.count.n_clusters), class_="num"),
        tag("td", f"{unit.point.effective_n:.1f}", class_="num"),
        tag("td", _q(unit.point.q_value), class_="num"),
        tag("td", _final(unit), class_="num"),
        tag("td", page_link("Why", "why", own), " ", _act_link(unit, kind, filters), class_="links"),
        class_=None if unit.is_judged else "unsure",
    )


def note_chips(note: UnitNote) -> list[Html]:
    """What is done about a unit, as chips: seen by whom, suspended, how many actions are open."""
    chips = []
    if note.acknowledged:
        chips.append(chip("acknowledged", "good", title=seen_by(note.acknowledged)))
    if note.is_suspended:
        chips.append(chip("suspended", "bad", title="Its certificate is suspended"))
    n_others = sum(action.kind is not ActionKind.SUSPENSION for action in note.actions)
    if n_others:
        chips.append(chip(f"{n_others} action{'' if n_others == 1 else 's'}", "info", title="Open about it"))
    return chips


def _act_link(unit: JudgedUnit, kind: UnitKind, filters: dict[str, str]) -> Html:
    """The same page with this unit chosen below the table."""
    return page_link("Act", "sites", {**filters, "by": kind.value, "unit": unit.unit.key})


def _counts(rate: Proportion) -> Html:
    return tag("span", f"{count(rate.k)} / {count(rate.n)}", title="Show the ungradable scans")


def _q(q_value: float | None) -> str:
    if q_value is None:
        return "–"
    return f"< {_SMALLEST_SHOWN}" if q_value < _SMALLEST_SHOWN else f"{q_value:.3f}"


def _final(unit: JudgedUnit) -> str:
    tally = unit.count.tally
    n = tally.final_received
    return f"{percent(tally.final_gradable / n)} of {count(n)}" if n else "–"

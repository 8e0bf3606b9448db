"""A model card as markup: what it is for, where it fails, what it learned from, how good it is beside the published."""

from collections.abc import Mapping, Sequence
from typing import Any

from core.scoring.card import Calibration, ReportedMetric
from core.scoring.card_view import CardView
from core.scoring.published import Comparison, difference_of
from dashboard.components.markup import Html, count, tag
from dashboard.components.plain_table import plain_table

NO_CALIBRATION = "The card has no calibration scans: there is no guarantee about what it accepts."
PUBLISHED_CAPTION = "Published figures of the same tasks beside this model's. They are not the same measurement:"


def card_words(view: CardView) -> Html:
    """Purpose, labels and known failures."""
    failures = tag("ul", *(tag("li", each) for each in view.known_failures)) if view.known_failures else None
    return tag(
        "section",
        tag("p", tag("b", view.intended_use or "The card does not say what the model is for.")),
        tag("p", view.labels, class_="muted") if view.labels else None,
        tag("h3", "Known failures") if failures else None,
        failures,
        tag("h3", "Accept guarantee"),
        tag("p", _calibration_words(view.calibration)),
        class_="words",
    )


def _calibration_words(calibration: Calibration | None) -> str:
    if calibration is None:
        return NO_CALIBRATION
    return (
        f"{count(len(calibration.scans))} calibration scans in {count(calibration.n_groups)} independent groups from "
        f"{', '.join(calibration.sources)}. {calibration.labels} {calibration.method}"
    )


def data_table(view: CardView) -> Html:
    """What it was trained, tuned and judged on, with the licences."""
    rows = [
        tag(
            "tr",
            tag("th", each.name, tag("span", each.source, class_="name"), scope="row"),
            tag("td", each.used_for),
            tag("td", each.licence),
            *(tag("td", count(n), class_="num") for n in (each.n_train, each.n_tune, each.n_held_out)),
        )
        for each in view.data
    ]
    return plain_table(
        ("Data set", "Used for", "Licence", "Trained on", "Tuned on", "Kept aside"), rows, "Data", {3, 4, 5}
    )


def metric_table(metrics: Sequence[ReportedMetric]) -> Html:
    """Its figures with their intervals, by topic."""
    rows = [
        tag(
            "tr",
            tag("th", each.name, scope="row"),
            tag("td", each.set),
            tag("td", _number(each.value, each.unit), class_="num"),
            tag("td", f"{_number(each.low)} – {_number(each.high)}", class_="num"),
            tag("td", count(each.n_images), class_="num"),
            tag("td", count(each.n_subjects), class_="num"),
        )
        for each in metrics
    ]
    heads = ("Figure", "Set", "Value", "95 % interval", "Images", "Subjects")
    return plain_table(heads, rows, "Figures", {2, 3, 4, 5})


def metric_rows(metrics: Sequence[ReportedMetric]) -> list[dict[str, object]]:
    """One row per figure, as the download has it."""
    return [
        {
            "topic": each.topic,
            "figure": each.name,
            "set": each.set,
            "value": each.value,
            "low": each.low,
            "high": each.high,
            "unit": each.unit,
            "images": each.n_images,
            "subjects": each.n_subjects,
        }
        for each in metrics
    ]


def published_table(compared: Sequence[Comparison]) -> Html:
    """One row per task and figure: this model's own, and every published system's."""
    groups: dict[tuple[str, str], list[Comparison]] = {}
    for each in compared:
        groups.setdefault((each.published.task, each.published.figure), []).append(each)
    rows = [_published_row(task, figure, found) for (task, figure), found in groups.items()]
    return plain_table(("Task and figure", "This model", "On", "Published"), rows, "Published figures", {1})


def _published_row(task: str, figure: str, found: Sequence[Comparison]) -> Html:
    ours, first = found[0].ours, found[0].published
    systems = " · ".join(f"{each.published.system} {each.published.published:g}" for each in found)
    return tag(
        "tr",
        tag("th", f"{task}: {figure}", scope="row"),
        tag("td", _number(ours.value) if ours else "–", class_="num"),
        tag("td", ours.set if ours else None),
        tag("td", systems, tag("span", f"{first.paper}, {first.place}, on {first.data_set}", class_="name")),
    )


def difference_words(compared: Sequence[Comparison]) -> tuple[str, ...]:
    """Why published figures and the model's own differ in what they measure, once for each kind of task."""
    return tuple(dict.fromkeys(difference_of(each.published.task) for each in compared))


def making_words(view: CardView, weights_sha256: str) -> Html:
    """How it was made: split, commands, network and recipe."""
    return tag(
        "section",
        tag("p", view.split),
        *(tag("p", tag("code", command)) for command in view.commands),
        _facts("Network", view.network),
        _facts("Recipe", view.recipe),
        tag("p", "Weights (SHA-256) ", tag("code", weights_sha256), class_="muted"),
        class_="words",
    )


def _facts(title: str, facts: Mapping[str, Any]) -> Html | None:
    if not facts:
        return None
    items = (tag("li", f"{name.replace('_', ' ')}: {_fact(value)}") for name, value in facts.items())
    return tag("div", tag("h3", title), tag("ul", *items))


def _fact(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_fact(each)}" for name, each in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_fact(each) for each in value)
    return "none" if value is None else str(value)


def _number(value: float, unit: str = "") -> str:
    """A figure with three significant digits, noughts at its end included, so that a column reads evenly."""
    return f"{f'{value:#.3g}'.rstrip('.')}{f' {unit}' if unit else ''}"

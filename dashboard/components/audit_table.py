"""The audit trail as a table and as CSV, and how the chain stands in a sentence. Markup from frozen values."""

import csv
import json
from collections.abc import Mapping, Sequence
from io import StringIO
from typing import Any

from core.reports.spreadsheet import harmless
from core.store.audit_check import ChainStatus
from core.store.audit_trail import TrailRow
from dashboard.components.markup import Content, Html, chip, count, join, page_link, tag

LONGEST_VALUE = 160
"""Characters of a value on the page; the CSV holds all of it."""
NOBODY = "octaudit"
"""Who did what no signed-in person did."""
CSV_COLUMNS = (
    "id", "happened_at_utc", "person", "study", "site", "action", "record", "record_id", "before", "after", "reason",
    "meaning_of_signature",
)  # fmt: skip


def audit_table(rows: Sequence[TrailRow], query: Mapping[str, str]) -> Html:
    """One row per event; the action and the record narrow the page to their like. ``query``: filters that are kept."""
    heads = ("When (UTC)", "Who", "What", "Record", "Old → new", "Reason")
    head = tag("thead", tag("tr", *(tag("th", words, scope="col") for words in heads)))
    body = tag("tbody", *(_row(row, query) for row in rows))
    return tag("div", tag("table", head, body), class_="scroll", tabindex="0", role="region", aria_label="Audit trail")


def chain_words(status: ChainStatus) -> Html:
    """How far the trail is sealed, and what the latest check of the whole chain found."""
    sealed = f"{count(status.n_sealed)} events are sealed"
    if status.sealed_at is not None:
        sealed += f", the latest at {status.sealed_at:%Y-%m-%d %H:%M:%S} UTC"
    parts: list[Content] = [tag("b", f"{sealed}."), " "]
    if status.n_waiting and status.waiting_since is not None:
        parts.append(f"{count(status.n_waiting)} wait for their seal since {status.waiting_since:%H:%M:%S} UTC. ")
    parts.append(_check_words(status))
    return tag("p", *parts, class_="verdict", role="status")


def trail_csv(rows: Sequence[TrailRow]) -> str:
    """Events as CSV, oldest values and all; what a spreadsheet would run as a formula is made harmless."""
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    for row in rows:
        cells = (
            row.id, row.happened_at.isoformat(), row.actor or NOBODY, row.study, row.site, row.action, row.entity,
            row.entity_id, _json(row.before), _json(row.after), row.reason, row.meaning,
        )  # fmt: skip
        writer.writerow([harmless(cell) for cell in cells])
    return text.getvalue()


def action_words(action: str) -> str:
    """``scan.queued_again`` as words: ``scan: queued again``."""
    return action.replace("_", " ").replace(".", ": ", 1)


def change_lines(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> list[str]:
    """What changed, a line per field: ``state: queued → accepted``; fields that stayed are left out."""
    old, new = dict(before or {}), dict(after or {})
    lines = []
    for name in dict.fromkeys((*old, *new)):
        if name in old and name in new:
            if old[name] != new[name]:
                lines.append(f"{_name(name)}: {_value(old[name])} → {_value(new[name])}")
        elif name in old:
            lines.append(f"{_name(name)}: {_value(old[name])}" + (" → nothing" if after is not None else ""))
        else:
            lines.append(f"{_name(name)}: {_value(new[name])}")
    return lines


def _check_words(status: ChainStatus) -> Content:
    check = status.check
    if check is None:
        return chip("not checked yet", "warn", title="The keeper checks daily; octaudit audit verify does at once.")
    at = f"{check.checked_at:%Y-%m-%d %H:%M} UTC"
    anchored = f", anchored outside the database at {check.anchored_at:%Y-%m-%d %H:%M} UTC" if check.anchored_at else ""
    if not check.faults:
        what = f"all {count(check.n_sealed)} were as they were written" if check.n_sealed else "none was sealed by then"
        words = f"Checked at {at}: {what}{anchored}. "
        return join([words, chip("chain unbroken", "good")])
    told = [tag("span", fault, class_="fault") for fault in check.faults]
    return join([f"Checked at {at}: ", chip("chain broken", "bad"), " ", join(told, " ")])


def _row(row: TrailRow, query: Mapping[str, str]) -> Html:
    where = " · ".join(part for part in (row.study, row.site) if part)
    action = page_link(action_words(row.action), "audit", {**query, "action": row.action})
    record: Content = row.entity.replace("_", " ")
    if row.entity_id is not None:
        words = f"{row.entity.replace('_', ' ')} {row.entity_id}"
        record = page_link(words, "audit", {**query, "entity": row.entity, "record": str(row.entity_id)})
    reason = [tag("p", row.reason, class_="words")] if row.reason else []
    if row.meaning:
        reason.append(tag("p", chip("signed", "info"), " ", row.meaning, class_="words"))
    lines = [tag("p", line, class_="words") for line in change_lines(row.before, row.after)]
    return tag(
        "tr",
        tag("th", f"{row.happened_at:%Y-%m-%d %H:%M:%S}", scope="row", class_="moment"),
        tag("td", row.actor or NOBODY),
        tag("td", action),
        tag("td", record, tag("span", where, class_="name") if where else None),
        tag("td", *lines),
        tag("td", *reason),
    )


def _name(name: str) -> str:
    return name.replace("_", " ")


def _value(value: object) -> str:
    text = "nothing" if value in (None, "", [], {}) else value if isinstance(value, str) else _json(value)
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}…"


def _json(value: object) -> str:
    return "" if value is None else json.dumps(value, ensure_ascii=False, sort_keys=True)

"""The rows of the worklist: thumbnail, eye in large letters, why, what cures it, where from, days left. Markup only."""

from collections.abc import Mapping, Sequence
from datetime import date

from core.policy.scan_types import kind_of
from core.store.worklist import ItemRequest, WorklistItem
from core.vocabulary import OperatorFixable, ReasonCode, ScanState, Verdict
from core.wording import (
    EYE_NAMES,
    FIXABLE_NAMES,
    REASON_NAMES,
    REQUEST_NAMES,
    STATE_NAMES,
    SUSPENDED,
    SUSPENDED_HINT,
    VERDICT_NAMES,
    grade_name,
    scan_words,
)
from dashboard.components.countdown import countdown
from dashboard.components.markup import Html, chip, join, page_link, tag


def worklist_rows(items: Sequence[WorklistItem], today: date, *, within: Mapping[str, str] | None = None) -> Html:
    """One row per scan; the whole row leads to the scan. ``within``: the list, as the scan's address names it."""
    return tag("ul", *(_row(item, today, within or {}) for item in items), class_="rows")


def item_name(item: WorklistItem) -> str:
    """Which scan, in a few words: ``S01-002 V1 OD``."""
    return f"{item.subject_code} {item.visit_code} {item.laterality}"


def _row(item: WorklistItem, today: date, within: Mapping[str, str]) -> Html:
    eye = tag("div", item.laterality, tag("small", EYE_NAMES[item.laterality]), class_="eye")
    return tag("li", _thumbnail(item), eye, _why(item, within), _where(item), _due(item, today), class_="row")


def _thumbnail(item: WorklistItem) -> Html:
    image = tag("img", src=f"/scans/{item.scan_id}/tile.png?size=160", alt="", loading="lazy", width=83, height=83)
    return tag("div", image, class_="thumb")


def _why(item: WorklistItem, within: Mapping[str, str]) -> Html:
    lead, remedy = _lead(item), None
    if item.question is not None:
        remedy = tag("p", tag("b", "Question to the site: "), tag("q", item.question), class_="remedy")
    elif item.reasons and not item.is_answered:
        remedy = tag("p", tag("b", "What to do: "), item.reasons[0].remedy, class_="remedy")
    chips = [] if item.is_answered else [_verdict_chip(item)]
    if item.request is not None:
        chips += _request_chips(item.request)
    if item.n_new_messages:
        chips.append(chip(f"{item.n_new_messages} new message{'' if item.n_new_messages == 1 else 's'}", "warn"))
    if item.grade_ordinal is not None:
        grade = grade_name(item.grade_ordinal, kind_of(item.scan_type))
        chips.append(chip("Model abstained" if item.is_abstained else grade))
    if item.is_device_suspended:
        chips.append(chip(SUSPENDED, "bad", title=SUSPENDED_HINT))
    others = [reason for reason in item.reasons[1:4] if reason.code is not ReasonCode.ABSTAINED]
    chips += [chip(REASON_NAMES[reason.code], title=reason.text) for reason in others]
    if item.reasons and item.reasons[0].operator_fixable is OperatorFixable.YES and not item.is_answered:
        chips.append(chip(FIXABLE_NAMES[OperatorFixable.YES], "good"))
    title = tag("p", page_link(lead, "scan", {"id": item.scan_id, **within}), class_="lead")
    return tag("div", title, remedy, tag("div", *[c for c in chips if c is not None], class_="more"), class_="why")


def _request_chips(request: ItemRequest) -> list[Html | None]:
    """How the request stands, which round it is, and who sees to it."""
    again = chip(f"Round {request.round_number}", "warn") if request.round_number > 1 else None
    owner = f"Owner {request.owner}" if request.owner else "No owner yet"
    return [chip(REQUEST_NAMES[request.state], "info"), again, chip(owner, "calm" if request.owner else "warn")]


def _lead(item: WorklistItem) -> str:
    if item.reasons:
        return item.reasons[0].text
    if item.state in {ScanState.FAILED, ScanState.QUARANTINED}:
        return item.failure or STATE_NAMES[item.state]
    return STATE_NAMES[item.state]


def _verdict_chip(item: WorklistItem) -> Html | None:
    if item.verdict is None:
        return None
    tone = {Verdict.REACQUIRE: "bad", Verdict.REVIEW: "warn", Verdict.ACCEPT: "good"}[item.verdict]
    return chip(VERDICT_NAMES[item.verdict], tone)


def _where(item: WorklistItem) -> Html:
    device = f"{item.device_code} · {item.technician_code}" if item.technician_code else item.device_code
    lines = (
        tag("b", f"{item.site_code} · {item.subject_code} · {item.visit_code}"),
        scan_words(item.scan_type, item.slab),
        device,
        f"{item.acquired_at:%d %b %Y}",
    )
    return tag("div", join((tag("span", line) for line in lines), " "), class_="where")


def _due(item: WorklistItem, today: date) -> Html:
    if item.is_answered:
        return tag("div", tag("strong", "replacement sent"), class_="due")
    return countdown(item.days_left(today), item.due_on, is_owed=item.request is not None)

"""How the queue stands in figures, and who works on it: markup from frozen values."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from core.store.queue_state import LaneState
from core.store.worker_process import HourOfWork, ProcessView
from core.wording import ago
from dashboard.components.markup import Content, Html, chip, count, join, tag

SILENT_AFTER = {"worker": timedelta(minutes=2), "keeper": timedelta(minutes=2)}
"""A worker looks for work every half minute and a keeper acts every few seconds: longer silence is a fault."""
_GIB = 1 << 30
RECONCILING = ("return expired leases", "ring for waiting lanes")
"""The keeper's duties that bring the queue in line with what really runs."""


def queue_counters(lanes: Sequence[LaneState], *, at: datetime) -> Html:
    """Six counters over all lanes that are shown."""
    total = {name: sum(getattr(lane, name) for lane in lanes) for name in LaneState.__slots__[1:7]}
    waiting = total["n_ready"] + total["n_postponed"]
    oldest_at = min((lane.oldest_at for lane in lanes if lane.oldest_at), default=None)
    oldest = "nothing waits" if oldest_at is None else f"submitted {oldest_at:%d %b %H:%M} UTC"
    postponed = f"{count(total['n_postponed'])} pause after a failure" if total["n_postponed"] else "ready to be scored"
    tried = f"{count(total['n_tried'])} tried before" if total["n_tried"] else "none tried before"
    return tag(
        "div",
        _counter("Waiting", count(waiting), postponed if waiting else "the queue is empty"),
        _counter("Being scored", count(total["n_scoring"]), tried),
        _counter("Oldest", ago((at - oldest_at).total_seconds()) if oldest_at else "–", oldest),
        _counter("Scored in the last hour", count(sum(lane.n_scored_last_hour for lane in lanes)), "scans"),
        _counter("Failed", count(total["n_failed"]), "given up", is_bad=total["n_failed"] > 0),
        _counter("Set aside", count(total["n_quarantined"]), "cost their workers", is_bad=total["n_quarantined"] > 0),
        class_="counters",
        style="grid-template-columns: repeat(auto-fit, minmax(7.6rem, 1fr))",  # six in one row on 1024 pixels
    )


def _counter(label: str, value: str, note: str, *, is_bad: bool = False) -> Html:
    return tag(
        "div",
        tag("span", label, class_="label"),
        tag("span", value, class_="value"),
        tag("span", note, class_="note bad" if is_bad else "note"),
        class_="counter",
    )


def worker_table(processes: Sequence[ProcessView], hours: Sequence[HourOfWork], *, at: datetime) -> Html:
    """One row per worker process: whether it lives, what it has loaded and where, and what it did."""
    heads = ("Worker", "State", "Model", "Device and memory", "Last hour", "Last 24 hours", "Lost or failed")
    head = tag("thead", tag("tr", *(tag("th", words, scope="col", class_=_class(words)) for words in heads)))
    rows = [_worker_row(process, hours, at) for process in processes if process.kind == "worker"]
    return tag(
        "div", tag("table", head, tag("tbody", *rows)), class_="scroll", tabindex="0", role="region",
        aria_label="Workers",
    )  # fmt: skip


def _class(words: str) -> str | None:
    return "num" if words in {"Last hour", "Last 24 hours", "Lost or failed"} else None


def _worker_row(process: ProcessView, hours: Sequence[HourOfWork], at: datetime) -> Html:
    own = [hour for hour in hours if hour.process_id == process.id]
    # Two hours of the clock hold the last 60 minutes; the older one counts by the share of it that lies within.
    this_hour = at.replace(minute=0, second=0, microsecond=0)
    share = 1 - (at - this_hour) / timedelta(hours=1)
    weights = {this_hour: 1.0, this_hour - timedelta(hours=1): share}
    last_hour = round(sum(hour.n_scored * weights.get(hour.started_at, 0.0) for hour in own))
    faults = sum(hour.n_failed + hour.n_lost for hour in own)
    host, pid = process.facts.get("host", process.name), process.facts.get("pid")
    return tag(
        "tr",
        tag("th", str(host), tag("span", f"process {pid}" if pid else "", class_="name"), scope="row"),
        tag("td", process_state(process, at)),
        tag("td", _models(process.facts)),
        tag("td", _memory(process.facts)),
        tag("td", f"≈ {count(last_hour)}" if last_hour else "0", class_="num"),
        tag("td", count(sum(hour.n_scored for hour in own)), class_="num"),
        tag("td", count(faults), class_="num"),
    )


def process_state(process: ProcessView, at: datetime) -> Html:
    """Whether a process lives, in words with a colour."""
    silence = at - process.beaten_at
    heard = f"heard {ago(max(silence.total_seconds(), 0))} ago"
    if process.ended_at is not None:
        return join([chip("stopped", "calm"), tag("span", heard, class_="name")])
    if silence > SILENT_AFTER.get(process.kind, timedelta(minutes=2)):
        return join([chip("silent", "bad"), tag("span", heard, class_="name")])
    return join([chip("alive", "good"), tag("span", heard, class_="name")])


def is_alive(process: ProcessView, at: datetime) -> bool:
    """Whether it runs and was heard lately."""
    return process.ended_at is None and at - process.beaten_at <= SILENT_AFTER[process.kind]


def _models(facts: Mapping[str, Any]) -> Content:
    models = facts.get("models") or []
    if not models:
        return tag("span", "none loaded yet", class_="muted")
    return join([tag("span", f"{model['name']} {model['version']}") for model in models], ", ")


def _memory(facts: Mapping[str, Any]) -> Content:
    held, total, device = facts.get("held_bytes"), facts.get("total_bytes"), facts.get("device")
    if held is None or device is None:
        return tag("span", "not known yet", class_="muted")
    words = f"{held / _GIB:.1f} GiB at most" if total is None else f"{held / _GIB:.1f} of {total / _GIB:.0f} GiB held"
    return join([str(device).upper() if device == "cpu" else str(device), tag("span", words, class_="name")])


def keeper_line(processes: Sequence[ProcessView], *, at: datetime) -> Html:
    """When the queue was last brought in line with what runs, and what of it fails."""
    keepers = [process for process in processes if process.kind == "keeper" and is_alive(process, at)]
    if not keepers:
        return tag(
            "p", chip("no keeper", "bad"), " No keeper is alive: leases of lost workers are not returned.",
            class_="verdict", role="status",
        )  # fmt: skip
    duties = [duty for duty in keepers[0].facts.get("duties", []) if duty["name"] in RECONCILING]
    done = [datetime.fromisoformat(duty["done_at"]) for duty in duties if duty["done_at"]]
    failing = [duty["name"] for process in keepers for duty in process.facts.get("duties", []) if duty["has_failed"]]
    swept = f"Last reconcile sweep {ago(max((at - min(done)).total_seconds(), 0))} ago." if done else "No sweep yet."
    trouble = f" The keeper could not {failing[0]} at its last turn; its log says why." if failing else ""
    lead = chip("keeper has trouble", "warn") if failing else chip("keeper alive", "good")
    return tag("p", lead, f" {swept}{trouble}", class_="verdict", role="status")

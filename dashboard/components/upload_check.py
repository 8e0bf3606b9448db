"""What intake says of a batch, as markup: counters, and per file every fault with its cure. Knows no database."""

from collections.abc import Iterable, Sequence

from core.intake.manifest import COLUMN_LABELS, quoted
from core.intake.problems import Problem
from core.store.batch import BatchLine
from core.usecases.check_batch import BatchCheck, FileCheck
from core.usecases.submit_batch import Receipt, ReceiptLine
from core.vocabulary import FileState, ScanState
from core.wording import STATE_NAMES
from dashboard.components.markup import Html, chip, count, join, page_link, tag

SHOWN_FAULTS = 100
"""More faults than a person corrects one by one; what is behind the hundredth shows as they are cured."""

OUTCOME_CHIPS = {
    FileState.ACCEPTED: ("Accepted", "good"),
    FileState.REJECTED: ("Rejected", "bad"),
    FileState.HELD: ("Held: look at it", "warn"),
}
_DRAFT_CHIPS = OUTCOME_CHIPS | {FileState.ACCEPTED: ("Ready", "good"), FileState.REJECTED: ("To correct", "bad")}
_SCAN_TONES = {
    ScanState.SCORED: "info", ScanState.ACCEPTED: "good", ScanState.FAILED: "bad", ScanState.QUARANTINED: "bad",
    ScanState.UNDER_REVIEW: "info", ScanState.REACQUISITION_REQUESTED: "warn", ScanState.QUERIED: "warn",
}  # fmt: skip


def draft_counters(check: BatchCheck) -> Html:
    """How many files are ready, how many are not."""
    ready, faulty, held = (len(check.with_outcome(state)) for state in FileState)
    return tag(
        "div",
        _counter("Ready to submit", ready, "no fault found"),
        _counter(
            "To correct", faulty, "each with its cure below" if faulty else "nothing to correct", is_bad=faulty > 0
        ),
        _counter("Held for a look", held, "possible burned-in text" if held else "no text found in the images"),
        class_="counters",
    )


def receipt_counters(receipt: Receipt) -> Html:
    """How many files were taken, refused and held, and how far scoring is."""
    accepted, rejected, held = (receipt.count(state) for state in FileState)
    scored = sum(line.scan_state is not None and not is_waiting(line) for line in receipt.lines)
    return tag(
        "div",
        _counter("Accepted", accepted, "stored and in the queue"),
        _counter("Rejected", rejected, "reasons below" if rejected else "none", is_bad=rejected > 0),
        _counter("Held for a look", held, "not scored until released" if held else "none"),
        _counter("Scored", scored, f"of {count(accepted)}"),
        class_="counters",
    )


def is_waiting(line: ReceiptLine) -> bool:
    """Whether the file's scan still waits for its score."""
    return line.scan_state in {ScanState.RECEIVED, ScanState.QUEUED, ScanState.SCORING}


def fault_list(checks: Sequence[FileCheck]) -> Html:
    """Every file that has a fault or note, faults first: what is wrong, in which column, and what cures it."""
    marked = sorted(
        (check for check in checks if check.problems), key=lambda check: check.outcome is FileState.ACCEPTED
    )
    rows = [
        _row(check.file.name, chip(*_DRAFT_CHIPS[check.outcome]), check.problems) for check in marked[:SHOWN_FAULTS]
    ]
    more = len(marked) - SHOWN_FAULTS
    if more > 0:
        rows.append(tag("tr", tag("td", f"and {count(more)} more files", colspan=3, class_="muted")))
    return _table(("File", "State", "What is wrong, and what to do"), rows)


def receipt_table(receipt: Receipt) -> Html:
    """Every file of a receipt, those that were not accepted first, with its scan's state."""
    return line_table(sorted(receipt.lines, key=lambda line: line.state is FileState.ACCEPTED))


def line_table(lines: Sequence[ReceiptLine]) -> Html:
    """Files of a receipt in the order given, each with its state and what to do."""
    return _table(("File", "State", "Scan"), [_receipt_row(line) for line in lines])


def batch_table(lines: Sequence[BatchLine]) -> Html:
    """The list of batches; each leads to its draft or receipt."""
    return tag(
        "div",
        tag(
            "table",
            tag(
                "thead",
                tag(
                    "tr",
                    *(tag("th", text) for text in ("Receipt", "Site", "Uploaded", "By")),
                    *(
                        tag("th", text, class_="num")
                        for text in ("Files", "Accepted", "Rejected", "Held", "Waiting", "Scored")
                    ),
                ),
            ),
            tag("tbody", *(_batch_row(line) for line in lines)),
        ),
        class_="scroll",
    )


def _batch_row(line: BatchLine) -> Html:
    head = line.head
    when = head.submitted_at or head.created_at
    state = None if head.submitted_at else chip("Draft", "warn")
    numbers = (line.files, line.accepted, line.rejected, line.held, line.waiting, line.scored)
    return tag(
        "tr",
        tag("th", page_link(head.receipt, "upload", {"batch": head.id}), " ", state),
        tag("td", f"{head.site.study} · {head.site.site}"),
        tag("td", f"{when:%d %b %Y, %H:%M} UTC"),
        tag("td", line.uploaded_by),
        *(tag("td", count(n) if n else "–", class_="num") for n in numbers),
    )


def _receipt_row(line: ReceiptLine) -> Html:
    label, tone = OUTCOME_CHIPS[line.state]
    if line.scan_id is not None and line.scan_state is not None:
        state = chip(STATE_NAMES[line.scan_state], _SCAN_TONES.get(line.scan_state, "calm"))
        link = page_link(f"Scan {line.scan_id}", "scan", {"id": line.scan_id})
        cell = join((link, state, *(_note(problem) for problem in line.problems)), " ")
        return tag("tr", tag("th", line.name), tag("td", chip(label, tone)), tag("td", cell))
    return _row(line.name, chip(label, tone), line.problems)


def _row(name: str, state: Html, problems: Iterable[Problem]) -> Html:
    return tag("tr", tag("th", name), tag("td", state), tag("td", *(_fault(problem) for problem in problems)))


def _fault(problem: Problem) -> Html:
    is_named = problem.field is None or (problem.field in COLUMN_LABELS and quoted(problem.field) in problem.message)
    column = None if is_named else chip(COLUMN_LABELS.get(str(problem.field), str(problem.field)))
    tone = "reason bad" if problem.is_blocking else "reason"
    return tag(
        "div",
        tag("div", problem.message, " ", column, class_="lead"),
        tag("div", problem.remedy, class_="remedy muted"),
        class_=tone,
    )


def _note(problem: Problem) -> Html:
    return tag("div", problem.message, class_="small muted")


def _table(header: Sequence[str], rows: Sequence[Html]) -> Html:
    head = tag("thead", tag("tr", *(tag("th", text) for text in header)))
    return tag("div", tag("table", head, tag("tbody", *rows)), class_="scroll")


def _counter(label: str, n: int, note: str, *, is_bad: bool = False) -> Html:
    return tag(
        "div",
        tag("span", label, class_="label"),
        tag("span", count(n), class_="value bad" if is_bad else "value"),
        tag("span", note, class_="note"),
        class_="counter",
    )

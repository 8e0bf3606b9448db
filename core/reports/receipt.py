"""The receipt of a batch on paper: every file with its state, what was wrong with it and what to do."""

from datetime import datetime

from sqlalchemy.orm import Session

from core.reports.parts import Cell, chip, table
from core.reports.typeset import Document
from core.usecases.submit_batch import Receipt, ReceiptLine, read_receipt
from core.vocabulary import FileState
from core.wording import STATE_NAMES, count

TITLE = "Receipt"
_FILE_STATES = {
    FileState.ACCEPTED: ("Accepted", "good"),
    FileState.REJECTED: ("Rejected", "bad"),
    FileState.HELD: ("Held", "warn"),
}


def receipt_document(session: Session, batch_id: int, *, at: datetime) -> tuple[Document, Receipt]:
    """The receipt with every scan as it stands at ``at``; names the files, so for the site's own people alone."""
    receipt = read_receipt(session, batch_id)
    counts = [(state, receipt.count(state)) for state in FileState]
    heads = (
        ("File", "left", "1.5fr"), ("State", "left", "auto"), ("Scan", "right", "auto"),
        ("Where it stands, or why it was not taken, and what to do", "left", "2.4fr"),
    )  # fmt: skip
    content = {
        "name": receipt.code,
        "below": f"study {receipt.study}, site {receipt.site}",
        "submitted": f"{receipt.submitted_at:%d %b %Y, %H:%M} UTC",
        "as_of": f"{at:%d %b %Y, %H:%M} UTC",
        "tiles": [
            {"label": "Files", "value": count(len(receipt.lines)), "note": "in this batch"},
            *({"label": _FILE_STATES[state][0], "value": count(n), "note": _NOTES[state]} for state, n in counts),
        ],
        "files": table(heads, [_row(line) for line in receipt.lines]),
        "notes": "The batch was stored completely at the moment above, before this receipt was given. File names are "
        "kept in the receipt alone, for people of this site; they appear in no export and at no other site.",
    }
    return Document("receipt", TITLE, f"{receipt.code}, {receipt.study}, {receipt.site}", content), receipt


_NOTES = {
    FileState.ACCEPTED: "stored and queued for scoring",
    FileState.REJECTED: "not stored; see why below",
    FileState.HELD: "wait for a person: possible text",
}


def _row(line: ReceiptLine) -> list[Cell]:
    words, tone = _FILE_STATES[line.state]
    stands = [f"{STATE_NAMES[line.scan_state]}."] if line.scan_state else []
    faults = [f"{problem.message} {problem.remedy}".strip() for problem in line.problems]
    return [line.name, chip(words, tone), str(line.scan_id or "–"), " ".join([*stands, *faults]) or "–"]

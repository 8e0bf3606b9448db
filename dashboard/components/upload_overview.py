"""My uploads as tables: batches with how far each is, and one batch's files with what to do. Markup, no database."""

from collections.abc import Sequence

from core.store.batch import BatchLine
from dashboard.components.markup import Content, Html, chip, count, join, page_link, percent, tag


def upload_table(lines: Sequence[BatchLine]) -> Html:
    """One row per batch, the newest first: state, progress, counts, receipt."""
    heads = ("Batch", "Site", "Sent", "State", "Scored", "Files", "Accepted", "Rejected", "Held", "Failed", "")
    numbers = {"Files", "Accepted", "Rejected", "Held", "Failed"}
    head = tag(
        "thead",
        tag("tr", *(tag("th", words, scope="col", class_="num" if words in numbers else None) for words in heads)),
    )
    return tag(
        "div", tag("table", head, tag("tbody", *(_row(line) for line in lines))), class_="scroll", tabindex="0",
        role="region", aria_label="My uploads",
    )  # fmt: skip


def _row(line: BatchLine) -> Html:
    head = line.head
    is_draft = head.submitted_at is None
    where = page_link(head.receipt, "upload" if is_draft else "uploads", {"batch": head.id})
    moment = head.submitted_at or head.created_at
    receipt: Content = "–"
    if not is_draft:
        words = f"Receipt (PDF) of batch {head.receipt}"
        receipt = tag(
            "a", "Receipt (PDF)", href=f"/receipts/{head.id}.pdf", download=f"{head.receipt}.pdf", aria_label=words
        )
    numbers = (line.files, line.accepted, line.rejected, line.held, line.failed)
    return tag(
        "tr",
        tag("th", where, scope="row"),
        tag("td", f"{head.site.study} · {head.site.site}"),
        tag("td", f"{moment:%d %b %Y, %H:%M} UTC"),
        tag("td", _state(line)),
        tag("td", progress_bar(line.scored, line.accepted), class_="wide"),
        *(tag("td", count(n) if n else "–", class_="num") for n in numbers),
        tag("td", receipt),
    )


def _state(line: BatchLine) -> Html:
    if line.head.submitted_at is None:
        return chip("Draft", "warn")
    if line.waiting:
        return chip(f"{count(line.waiting)} in work", "info")
    if line.failed:
        return chip(f"{count(line.failed)} failed", "bad")
    if line.held:
        return chip(f"{count(line.held)} held", "warn")
    return chip("Done", "good") if line.accepted else chip("Nothing taken", "bad")


def progress_bar(done: int, total: int) -> Html:
    """How much of the accepted is scored; empty where nothing was accepted."""
    share = done / total if total else 0.0
    words = f"{count(done)} of {count(total)} scored" if total else "nothing to score"
    bar = tag("span", class_="span", style=f"left:0;width:{100 * share:.1f}%")
    figure = percent(share) if total else "–"
    return join([
        tag("div", bar, class_="bar", role="img", aria_label=words, title=words),
        tag("span", figure, class_="small muted"),
    ])  # fmt: skip

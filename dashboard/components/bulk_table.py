"""The list of a bulk acceptance: what would happen, the sample with its marks, what was left out. Markup only."""

from collections.abc import Iterable, Mapping, Sequence
from urllib.parse import urlencode

from core.policy.bulk_sample import SAMPLE_SHARE, SMALLEST_SAMPLE
from core.store.bulk_review import BulkItem, ListedScan
from core.usecases.accept_in_bulk import MOST_SCANS, BulkView, Proposal
from core.vocabulary import BulkState, SampleMark
from core.wording import SLAB_NAMES
from dashboard.components.markup import Html, chip, join, page_link, percent, tag
from dashboard.components.pager import counted

STATE_WORDS = {
    BulkState.SAMPLING: ("Look at the sample", "info"),
    BulkState.ACCEPTING: ("Being accepted", "info"),
    BulkState.DONE: ("Accepted", "good"),
    BulkState.STOPPED: ("Stopped", "bad"),
}
MARK_CHIPS = {SampleMark.AGREE: ("agreed", "good"), SampleMark.DISAGREE: ("disagreed", "bad")}


def bulk_link(n: int, filters: Mapping[str, str]) -> Html:
    """From the worklist: accept what it now shows in bulk."""
    link = page_link(f"Accept these {n} in bulk, after a sample", "bulk", filters) if n > 1 else None
    return tag("p", link, class_="small", style="text-align:right")


def sample_address(bulk_id: int, scan_id: int) -> str:
    """The address of a scan of the sample, which notes that it was looked at."""
    return f"/scan?{urlencode({'id': scan_id, 'bulk': bulk_id})}"


def scan_words(scan: ListedScan | BulkItem) -> str:
    """``S01 · P-007 · V1 · OD · superficial``."""
    return " · ".join(
        (scan.site_code, scan.subject_code, scan.visit_code, scan.laterality, SLAB_NAMES[scan.slab].lower())
    )


def proposal_words(proposal: Proposal) -> Html:
    """What accepting the list would do, and the rule of the sample."""
    n, out = len(proposal.eligible), len(proposal.left_out)
    lines = [
        f"{counted(n, 'scans')} of this list would be accepted as the model graded them"
        + (f"; {out} would be left out and stay in the worklist." if out else "."),
        (
            f"First you look at {proposal.n_sample} of them, drawn at random: the larger of {SMALLEST_SAMPLE} and "
            f"{percent(SAMPLE_SHARE)} of the list. You agree or disagree with each. One disagreement stops it all, and "
            "nothing is accepted. Each scan then has its own review and audit event, and its place in the rates."
        ),
    ]
    if proposal.is_cut:
        lines.append(f"The list is longer than {MOST_SCANS} scans: narrow it by site, type or device.")
    return join(tag("p", line, class_="words") for line in lines)


def standing_words(view: BulkView) -> Html:
    """How far it is."""
    words, tone = STATE_WORDS[view.bulk.state]
    agreed = sum(item.mark is SampleMark.AGREE for item in view.sample)
    accepted = len(view.accepted)
    n_back = sum(item.is_taken_back for item in view.accepted)
    back_words = f" {counted(n_back, 'of them')} taken back since." if n_back else ""
    counts = {
        BulkState.SAMPLING: f"{agreed} of {len(view.sample)} agreed to. Open each scan, then press y or x.",
        BulkState.ACCEPTING: f"{accepted} accepted, {len(view.waiting)} to go.",
        BulkState.DONE: f"{counted(accepted, 'scans')} accepted.",
        BulkState.STOPPED: f"{counted(accepted, 'scans')} accepted. Every scan that was not waits in the worklist.",
    }
    when = f"List of {view.bulk.created_at:%d %b %Y, %H:%M} UTC. "
    back = page_link("Worklist", "worklist", {"tab": "to-decide"})
    return tag("p", chip(words, tone), " ", when, counts[view.bulk.state], back_words, " ", back, class_="words")


def sample_table(view: BulkView) -> Html:
    """The scans of the sample, each with its picture, its link and what was said of it."""
    rows = (
        tag(
            "tr",
            tag("td", str(item.sample_number), class_="num"),
            tag("td", _thumbnail(item)),
            tag("td", tag("a", scan_words(item), href=sample_address(view.bulk.id, item.scan_id), data_page="scan")),
            tag("td", f"{item.looked_at:%H:%M} UTC" if item.looked_at else "not yet"),
            tag("td", chip(*MARK_CHIPS[item.mark]) if item.mark else chip("open")),
        )
        for item in view.sample
    )
    return _table(("No.", "Image", "Scan", "Looked at", "You say"), rows)


def accepted_table(items: Sequence[BulkItem]) -> Html:
    """The scans that were accepted with the list, each with its link and whether it was taken back since."""
    rows = (
        tag(
            "tr",
            tag("td", page_link(scan_words(item), "scan", {"id": item.scan_id})),
            tag("td", f"{item.accepted_at:%d %b %Y, %H:%M} UTC" if item.accepted_at else None),
            tag("td", chip("taken back", "warn") if item.is_taken_back else chip("accepted", "good")),
        )
        for item in items
    )
    return _table(("Scan", "Accepted", "Stands"), rows)


def left_out_table(named: Sequence[tuple[ListedScan | BulkItem, str]]) -> Html:
    """Each scan that is not accepted with the others, with the reason."""
    rows = (
        tag("tr", tag("td", page_link(scan_words(scan), "scan", {"id": scan.scan_id})), tag("td", why))
        for scan, why in named
    )
    return _table(("Scan", "Why"), rows)


def _thumbnail(item: BulkItem) -> Html:
    image = tag("img", src=f"/scans/{item.scan_id}/tile.png?size=64", alt="", loading="lazy", width=48, height=48)
    return tag("div", image, class_="thumb small-thumb")


def _table(heads: Sequence[str], rows: Iterable[Html]) -> Html:
    head = tag("tr", *(tag("th", name, scope="col", class_="num" if name == "No." else None) for name in heads))
    return tag("div", tag("table", tag("thead", head), tag("tbody", *rows)), class_="scroll")

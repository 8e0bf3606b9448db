"""Masks to draw next: the choice in words, the rounds, the scans of one. Markup from frozen values."""

from collections.abc import Sequence

from core.store.mask import MOST_OF_A_SITE, LaneCount, RoundRow, WantedScan
from core.usecases.choose_masks import MaskChoice
from core.vocabulary import ScanKind
from core.wording import KIND_NAMES
from dashboard.components.markup import Html, chip, count, join, page_link, tag
from dashboard.components.volume_viewer.show import BSCAN_PARAMETER

STEP_WORDS = {1: "First set", 2: "Lacks training"}
TILE_PX = 220
DRAWN_ON = dict.fromkeys(ScanKind, "scans") | {ScanKind.VOLUME: "B-scans"}
"""What masks are drawn on, by the kind of scan."""
_BOTH_LEVELS = 2


def lane_words(counts: Sequence[LaneCount]) -> Html:
    """What there is to choose from."""
    parts = [
        f"{KIND_NAMES[lane.kind]}: {count(lane.n_scored)} scored, {count(lane.n_drawn)} with a mask" for lane in counts
    ]
    note = f" Of each site the newest {count(MOST_OF_A_SITE)} are looked through."
    return tag(
        "p", tag("b", f"{'; '.join(parts)}."), tag("span", note, class_="muted"), class_="verdict", role="status"
    )


def choice_words(choice: MaskChoice, kind: ScanKind) -> str:
    """What a new round would ask for, and why, in one or two sentences."""
    n, what = len(choice.wanted), DRAWN_ON[kind]
    if not n:
        looked = f"{count(choice.n_looked_at)} {what} were looked through"
        return f"Nothing to ask for: {looked}, and none of them would teach anything new."
    scans = f"{count(n)} of {count(choice.n_looked_at)} {what}"
    if choice.step == _BOTH_LEVELS:
        return f"{scans}: those on which two levels of the model disagree most, the lowest agreement first."
    because = (
        "Nothing is drawn yet, so a first set is chosen"
        if not choice.n_drawn
        else f"No model with levels has scored any of these {what} yet, so more of a first set is chosen"
    )
    return f"{scans}. {because}: sharp, quiet {what} that differ from each other, from every device model."


def round_table(rows: Sequence[RoundRow]) -> Html:
    """One row per round, newest first; its number leads to its scans."""
    heads = ("Round", "For", "Chosen by", "Asked by", "When", "Masks")
    head = tag(
        "tr", *(tag("th", words, scope="col") for words in heads[:-1]), tag("th", heads[-1], scope="col", class_="num")
    )
    table = tag("table", tag("thead", head), tag("tbody", *map(_round, rows)))
    return tag("div", table, class_="scroll", tabindex="0", role="region", aria_label="Rounds")


def _round(row: RoundRow) -> Html:
    state = chip("all there", "good") if row.n_drawn == row.n_wanted else None
    masks = f"{count(row.n_drawn)} of {count(row.n_wanted)} "
    return tag(
        "tr",
        tag("th", page_link(f"Round {row.id}", "annotate", {"study": row.study_id, "round": row.id}), scope="row"),
        tag("td", KIND_NAMES[row.kind]),
        tag("td", STEP_WORDS[row.step]),
        tag("td", row.created_by),
        tag("td", f"{row.created_at:%d %b %Y, %H:%M} UTC"),
        tag("td", join([masks, state]) if state else masks, class_="num"),
    )


def wanted_gallery(scans: Sequence[WantedScan]) -> Html:
    """One card per scan, the most wanted first: image, number, why, whether its mask is there."""
    return tag("div", *map(_card, scans), class_="gallery")


def _card(scan: WantedScan) -> Html:
    bscan = "" if scan.bscan_index is None else f", B-scan {scan.bscan_index + 1}"
    words = f"Scan {scan.scan_id}{bscan}, {scan.site_code}, {scan.device_code}"
    address = f"tile.png?size={TILE_PX}" if scan.bscan_index is None else f"bscans/{scan.bscan_index}.png"
    image = tag("img", src=f"/scans/{scan.scan_id}/{address}", alt=words, loading="lazy")
    state = chip("Mask there", "good") if scan.mask_sha256 is not None else chip("To draw", "info")
    why = "first set" if scan.q is None else f"level agreement {scan.q:.2f}"
    by = None
    if scan.imported_at is not None:
        by = tag("p", f"{scan.imported_by or 'somebody'}, {scan.imported_at:%d %b %Y}", class_="muted small")
    place = {} if scan.bscan_index is None else {BSCAN_PARAMETER: scan.bscan_index + 1}
    link = page_link(f"{scan.rank}. {scan.site_code} · {scan.device_code}{bscan}", "scan", {"id": scan.scan_id} | place)
    body = tag("div", tag("div", link, state, class_="head"), tag("p", why, class_="muted small"), by, class_="body")
    return tag("article", tag("figure", image, tag("figcaption", scan.name)), body, class_="card")

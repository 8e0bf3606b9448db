"""The overview's list of images that more than one site sent. Markup from frozen values."""

from collections.abc import Sequence

from core.store.same_image import MAX_IMAGES, SentScan, SharedImage
from dashboard.components.markup import Html, join, page_link, tag

TILE_PX = 96


def shared_images(images: Sequence[SharedImage]) -> Html:
    """One row per image: its picture, and every scan that holds it with who sent it for whom."""
    head = tag(
        "thead",
        tag("tr", tag("th", "Image", scope="col"), tag("th", "Sent by", scope="col"), tag("th", "As", scope="col")),
    )
    table = tag("table", head, tag("tbody", *(row for image in images for row in _rows(image))))
    more = f" The latest {MAX_IMAGES} are listed." if len(images) == MAX_IMAGES else ""
    note = "One image cannot come from two sites: ask them which of them took it before either scan counts."
    return join(
        [
            tag("div", table, class_="scroll", tabindex="0", role="region", aria_label="Images sent by two sites"),
            tag("p", note, more, class_="small muted"),
        ]
    )


def _rows(image: SharedImage) -> list[Html]:
    first, *others = image.scans
    source = f"/scans/{first.scan_id}/tile.png?size={TILE_PX}"
    picture = tag(
        "div", tag("img", src=source, alt="", loading="lazy", width=48, height=48), class_="thumb small-thumb"
    )
    cell = tag("td", picture, rowspan=len(image.scans))
    return [tag("tr", cell, *_cells(first)), *(tag("tr", *_cells(other)) for other in others)]


def _cells(sent: SentScan) -> tuple[Html, Html]:
    site = tag("td", f"{sent.site_code} · {sent.site_name}")
    what = f", {sent.study_code} {sent.subject_code}, taken {sent.acquired_at:%d %b %Y}"
    return site, tag("td", page_link(f"Scan {sent.scan_id}", "scan", {"id": sent.scan_id}), what)

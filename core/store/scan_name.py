"""What a scan's files are called where they leave the database and come back: its number, nothing of its origin."""

import re

_NAME = re.compile(r"scan-(\d{8,18})\.png")


def scan_file_name(scan_id: int, bscan_index: int | None = None) -> str:
    """The name of a scan's image, mask or outline; of one B-scan of a volume (from 0) with the number that pages show.

    Pages count B-scans from 1.
    """
    return f"scan-{scan_id:08d}.png" if bscan_index is None else f"scan-{scan_id:08d}-bscan-{bscan_index + 1:03d}.png"


def scan_id_of(file_name: str) -> int | None:
    """The scan that such a name is of; None where it is no such name."""
    found = _NAME.fullmatch(file_name)
    return int(found[1]) if found else None

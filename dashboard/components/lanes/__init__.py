"""What the Scan page shows of each lane, one module per lane; the page itself knows no lane."""

from collections.abc import Callable

from core.store.scan_view import ScanView
from core.vocabulary import ScanKind
from dashboard.components.lanes import bscan, octa_enface, onh_enface, volume

LANE_PARTS: dict[ScanKind, Callable[[ScanView], None]] = {
    ScanKind.OCTA_ENFACE: octa_enface.draw,
    ScanKind.ONH_ENFACE: onh_enface.draw,
    ScanKind.BSCAN: bscan.draw,
    ScanKind.VOLUME: volume.draw,
}
"""By kind of scan: draws what the model found, below the viewer."""
OWN_VIEWERS = frozenset({ScanKind.VOLUME})
"""Lanes whose part holds its own viewer; it hides what the model drew from who must not see it yet."""

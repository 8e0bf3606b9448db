"""Who writes the simulated scans of each kind; a further kind is a line here."""

from collections.abc import Callable, Mapping

from core.usecases.write_bscan_phantoms import write_bscan_phantoms
from core.usecases.write_onh_phantoms import write_onh_phantoms
from core.usecases.write_phantoms import PhantomOrder, write_phantoms
from core.usecases.write_volume_phantoms import write_volume_phantoms
from core.vocabulary import ScanKind

PhantomWriter = Callable[[PhantomOrder, Callable[[int], None]], int]
"""Writes an order, tells how many scans are done, and returns how many were written."""

PHANTOM_WRITERS: Mapping[ScanKind, PhantomWriter] = {
    ScanKind.OCTA_ENFACE: write_phantoms,
    ScanKind.ONH_ENFACE: write_onh_phantoms,
    ScanKind.BSCAN: write_bscan_phantoms,
    ScanKind.VOLUME: write_volume_phantoms,
}

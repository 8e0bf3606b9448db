"""Which FAZ metric of which slab and field: the choices that the pages FAZ and Agreement share, held in the URL."""

from collections.abc import Iterable

from core.measures.words import FAZ, MEASURES
from core.store.assessment import FAZ_COLUMNS
from core.vocabulary import ScanKind, Slab
from core.wording import SLAB_NAMES, scan_type_words
from dashboard.filters import url_choice

SLABS = (Slab.SUPERFICIAL, Slab.DEEP, Slab.INNER_RETINA, Slab.FULL_RETINA)
"""Slabs with a zone; each by itself, because each shows another one."""


def octa_types(scan_types: Iterable[str]) -> list[str]:
    """Those of these scan types that have a FAZ."""
    return [each for each in scan_types if each.startswith(ScanKind.OCTA_ENFACE.value)]


def draw_faz_choice(types: list[str]) -> tuple[str, Slab, str]:
    """The metric's column, the slab and the scan type."""
    column = url_choice("Metric", "metric", {name: MEASURES[FAZ][name].name for name in FAZ_COLUMNS})
    slab = Slab(url_choice("Slab", "slab", {each.value: SLAB_NAMES[each] for each in SLABS}))
    return column, slab, url_choice("Field", "type", {each: scan_type_words(each) for each in types})

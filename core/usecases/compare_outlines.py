"""The model's FAZ against outlines by hand: Bland-Altman and ICC of one metric, beside those of two readers."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import combinations

import numpy as np
from sqlalchemy.orm import Session

from core.measures.faz_norms import PublishedRepeatability, repeatability_of
from core.statistics.agreement_intervals import BlandAltman, IntraclassIntervals, bland_altman, intraclass_intervals
from core.store.faz_outline import Outlined, OutlinedScans, read_outlined
from core.store.scan_filter import ScanFilter
from core.values import Measured, NotComputable


@dataclass(frozen=True, slots=True)
class MethodPair:
    """One scan measured twice. ``reference`` is by hand, ``other`` by the model or by a second reader."""

    scan: Outlined
    reference: float
    other: float

    @property
    def mean(self) -> float:
        """Where it stands on the plot."""
        return (self.reference + self.other) / 2.0

    @property
    def difference(self) -> float:
        """Other minus reference."""
        return self.other - self.reference


@dataclass(frozen=True, slots=True)
class MethodAgreement:
    """How two ways to measure agree, one pair of a patient, in the metric's unit."""

    reference: str
    other: str
    pairs: tuple[MethodPair, ...]
    limits: BlandAltman | NotComputable
    correlation: IntraclassIntervals | NotComputable


@dataclass(frozen=True, slots=True)
class OutlineComparison:
    """The model against readers, and the two readers who have most scans in common against each other.

    ``left_out`` counts outlines that no pair holds, by reason.
    """

    as_of: datetime
    column: str
    readers: Mapping[str, int]
    """Outlines by reader."""
    model: MethodAgreement
    people: MethodAgreement
    repeatability: PublishedRepeatability | None
    left_out: Mapping[str, int]
    is_cut: bool


def compare_outlines(session: Session, chosen: ScanFilter, column: str) -> OutlineComparison:
    """One metric (a column of ``FAZ_COLUMNS``) under ``chosen``, which must name slab and scan type."""
    return compare_outlined(read_outlined(session, chosen), column)


def compare_outlined(found: OutlinedScans, column: str) -> OutlineComparison:
    """The same of outlines that are there already.

    Where several readers outlined a scan, the reference is their mean. Of a patient with several scans the first one
    counts, because the intervals of limits and ICC take pairs for independent.
    """
    left_out: Counter[str] = Counter()
    kept = [item for item in found.items if _is_kept(item, column, left_out)]
    model = _by_patient([_against_model(items, column) for items in _by_scan(kept).values()], left_out)
    first, second, pairs = _two_readers(kept, column)
    return OutlineComparison(
        as_of=found.as_of,
        column=column,
        readers=Counter(item.reader for item in found.items),
        model=_agreement("by hand", "model", model),
        people=_agreement(first, second, _by_patient(pairs, Counter())),
        repeatability=repeatability_of(column),
        left_out=left_out,
        is_cut=found.is_cut,
    )


def _is_kept(item: Outlined, column: str, left_out: Counter[str]) -> bool:
    """Whether both ways have a value that counts; if not, why is counted."""
    by_hand, by_model = item.by_hand[column], item.by_model[column]
    if not item.is_released:
        left_out["ungradable"] += 1
    elif item.touches_border:
        left_out["the zone is cut off"] += 1
    elif isinstance(by_hand, NotComputable):
        left_out[f"by hand: {by_hand.reason}"] += 1
    elif isinstance(by_model, NotComputable):
        left_out[f"by the model: {by_model.reason}"] += 1
    else:
        return True
    return False


def _by_scan(items: Sequence[Outlined]) -> dict[int, list[Outlined]]:
    found: dict[int, list[Outlined]] = defaultdict(list)
    for item in items:
        found[item.scan_id].append(item)
    return found


def _value(item: Outlined, column: str) -> float:
    found = item.by_hand[column]
    assert isinstance(found, Measured), "those without a value were left out"
    return found.value


def _against_model(items: Sequence[Outlined], column: str) -> MethodPair:
    """One scan: the mean of its readers, and the model."""
    by_model = items[0].by_model[column]
    assert isinstance(by_model, Measured), "those without a value were left out"
    return MethodPair(items[0], float(np.mean([_value(item, column) for item in items])), by_model.value)


def _two_readers(items: Sequence[Outlined], column: str) -> tuple[str, str, list[MethodPair]]:
    """The two readers with most scans in common, and those scans."""
    common: dict[tuple[str, str], list[MethodPair]] = defaultdict(list)
    for own in _by_scan(items).values():
        for first, second in combinations(sorted(own, key=lambda item: item.reader), 2):
            common[first.reader, second.reader].append(MethodPair(first, _value(first, column), _value(second, column)))
    if not common:
        return "one reader", "another", []
    names = max(common, key=lambda each: (len(common[each]), each))
    return *names, common[names]


def _by_patient(pairs: Sequence[MethodPair], left_out: Counter[str]) -> tuple[MethodPair, ...]:
    """The first scan of every patient."""
    first: dict[int, MethodPair] = {}
    for pair in sorted(pairs, key=lambda each: each.scan.scan_id):
        if pair.scan.subject_id in first:
            left_out["another scan of the same patient"] += 1
        first.setdefault(pair.scan.subject_id, pair)
    return tuple(first.values())


def _agreement(reference: str, other: str, pairs: tuple[MethodPair, ...]) -> MethodAgreement:
    values = np.array([[pair.reference, pair.other] for pair in pairs], np.float64).reshape(-1, 2)
    return MethodAgreement(
        reference, other, pairs, bland_altman(values[:, 1], values[:, 0]), intraclass_intervals(values)
    )

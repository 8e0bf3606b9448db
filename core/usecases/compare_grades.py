"""Agreement on masked grades: model with people, person with person, a person twice, model with the consensus."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import combinations

import numpy as np
from sqlalchemy.orm import Session

from core.statistics.agreement_intervals import Agreement, agreement
from core.store.blind_grade import MaskedScan, read_masked_grades
from core.store.grading_view import RepeatedGrade, SettledScan, read_repeats, read_settled
from core.store.scan_filter import ScanFilter
from core.values import NotComputable

MOST_GROUPS = 40
"""The groups with most pairs; each costs a bootstrap."""


class GroupBy(StrEnum):
    """What agreement is broken down by."""

    SITE = "site"
    DEVICE = "device"
    SLAB = "slab"


@dataclass(frozen=True, slots=True)
class Pair:
    """Two grades of one scan: the model's or a person's, and another person's."""

    scan: MaskedScan
    first: int
    second: int

    @property
    def is_across(self) -> bool:
        """One calls the scan gradable and the other does not: what decides whether it counts."""
        return (self.first == 0) != (self.second == 0)


@dataclass(frozen=True, slots=True)
class GroupAgreement:
    """One group's agreement of model and people."""

    name: str
    n_pairs: int
    found: Agreement | NotComputable


@dataclass(frozen=True, slots=True)
class GradeComparison:
    """Model against people, people against people, and the scans to talk about.

    ``disputed`` are scans on whose gradability two grades differ, the model's or a person's.
    """

    as_of: datetime
    is_cut: bool
    model: Agreement | NotComputable
    people: Agreement | NotComputable
    repeats: Agreement | NotComputable
    """The same person's two grades of one scan: intra-grader agreement."""
    consensus: Agreement | NotComputable
    """The model against what graders and adjudicators settled on."""
    settled: tuple[SettledScan, ...]
    """The latest scans that were settled, the newest first."""
    n_model_silent: int
    """Masked grades of scans that the model abstained from or has not scored; they are left out."""
    groups: tuple[GroupAgreement, ...]
    disputed: tuple[MaskedScan, ...]


def compare_grades(session: Session, chosen: ScanFilter, by: GroupBy) -> GradeComparison:
    """Agreement under ``chosen``, with intervals over resampled patients."""
    grades = read_masked_grades(session, chosen)
    model, people = model_pairs(grades.scans), people_pairs(grades.scans)
    settled = read_settled(session, chosen)
    disputed = {pair.scan.scan_id: pair.scan for pair in (*model, *people) if pair.is_across}
    return GradeComparison(
        as_of=grades.as_of,
        is_cut=grades.is_cut,
        model=_agreement(model),
        people=_agreement(people),
        repeats=_repeats(read_repeats(session, chosen)),
        consensus=_consensus(settled),
        settled=settled,
        n_model_silent=sum(len(scan.grades) for scan in grades.scans if scan.model_ordinal is None),
        groups=_groups(model, _NAMES[by]),
        disputed=tuple(disputed.values()),
    )


def model_pairs(scans: Sequence[MaskedScan]) -> tuple[Pair, ...]:
    """The model's grade first, each person's masked grade second."""
    return tuple(
        Pair(scan, scan.model_ordinal, ordinal)
        for scan in scans
        if scan.model_ordinal is not None
        for _, ordinal in scan.grades
    )


def people_pairs(scans: Sequence[MaskedScan]) -> tuple[Pair, ...]:
    """Every two people who graded the same scan, the one with the lower id first."""
    return tuple(
        Pair(scan, first, second) for scan in scans for (_, first), (_, second) in combinations(sorted(scan.grades), 2)
    )


def _agreement(pairs: Sequence[Pair]) -> Agreement | NotComputable:
    return agreement(
        np.array([pair.first for pair in pairs], np.intp),
        np.array([pair.second for pair in pairs], np.intp),
        [str(pair.scan.subject_id) for pair in pairs],
    )


def _repeats(repeats: Sequence[RepeatedGrade]) -> Agreement | NotComputable:
    return agreement(
        np.array([repeat.first for repeat in repeats], np.intp),
        np.array([repeat.second for repeat in repeats], np.intp),
        [str(repeat.subject_id) for repeat in repeats],
    )


def _consensus(settled: Sequence[SettledScan]) -> Agreement | NotComputable:
    known = [scan for scan in settled if scan.model_ordinal is not None]
    return agreement(
        np.array([scan.model_ordinal for scan in known], np.intp),
        np.array([scan.consensus_ordinal for scan in known], np.intp),
        [str(scan.subject_id) for scan in known],
    )


_NAMES: dict[GroupBy, Callable[[MaskedScan], str]] = {
    GroupBy.SITE: lambda scan: scan.site_code,
    GroupBy.DEVICE: lambda scan: scan.device_code,
    GroupBy.SLAB: lambda scan: scan.slab.value,
}


def _groups(pairs: Sequence[Pair], name: Callable[[MaskedScan], str]) -> tuple[GroupAgreement, ...]:
    by_name: dict[str, list[Pair]] = defaultdict(list)
    for pair in pairs:
        by_name[name(pair.scan)].append(pair)
    largest = sorted(by_name.items(), key=lambda item: (-len(item[1]), item[0]))[:MOST_GROUPS]
    return tuple(GroupAgreement(label, len(own), _agreement(own)) for label, own in largest)

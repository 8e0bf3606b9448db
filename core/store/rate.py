"""The counts behind every rate: exact at every moment, and written without any two workers waiting for each other.

A change appends rows to rate_delta in its own transaction; one process folds them into rate and into the running sums
made of it (core.store.rate_sum); readers add what is not folded yet (core.store.cell_count). What an acquisition has
contributed so far stands in its ``is_counted_*`` flags and ``counted_findings``, so a delta is a difference, maybe
negative.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from sqlalchemy import BigInteger, Subquery, cast, delete, func, insert, select, union_all, update
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.orm import Session

from core.database.tables import Acquisition, ExpectedScan, Rate, RateDelta
from core.store.rate_sum import Count, add_to_sums
from core.store.slot import NOTHING, Capture, Slot, Standing, read_visits
from core.vocabulary import RateMeasure

COUNTING_LOCK = 7_301
"""Advisory lock: shared by everybody who counts, exclusive for a rebuild. The number only has to be ours."""
FOLDING_LOCK = 7_302
"""Advisory lock: held by the one process that folds."""
FOLD_LIMIT = 100_000
"""Deltas folded in one transaction: 0.4 s, measured."""

KEY_COLUMNS = (
    "site_id", "device_id", "technician_id", "software_version", "scan_type", "week_on", "measure", "detail",
)  # fmt: skip
WHOLE_VISIT = ""
"""The scan type under which a visit counts as a whole; it also counts under each type that it brought."""


@dataclass(frozen=True, slots=True)
class CountKey:
    """What a count is counted by. ``week_on`` is a Monday."""

    site_id: int
    device_id: int
    technician_id: int | None
    software_version: str
    scan_type: str
    week_on: date
    measure: RateMeasure
    detail: str = ""

    @classmethod
    def of(cls, capture: Capture, measure: RateMeasure, detail: str = "") -> "CountKey":
        """The key under which a capture counts towards a measure."""
        return cls(
            capture.site_id, capture.device_id, capture.technician_id, capture.software_version, capture.scan_type,
            capture.week_on, measure, detail,
        )  # fmt: skip


def lock_slots(session: Session, expected_scan_ids: Iterable[int]) -> list[int]:
    """Lock all slots of these slots' visits, in ascending order; return the visits' ids.

    Whoever changes scans below a slot takes this lock first, and so never deadlocks. Whole visits, because the counts
    hold visits too. Also holds off a rebuild until the transaction ends.
    """
    session.execute(select(func.pg_advisory_xact_lock_shared(COUNTING_LOCK)))
    wanted = sorted(set(expected_scan_ids))
    visit_ids = sorted(session.scalars(select(ExpectedScan.visit_id).where(ExpectedScan.id.in_(wanted)).distinct()))
    session.execute(
        select(ExpectedScan.id)
        .where(ExpectedScan.visit_id.in_(visit_ids))
        .order_by(ExpectedScan.id)
        .with_for_update(key_share=True)
    ).all()
    return visit_ids


def recount_slots(session: Session, expected_scan_ids: Iterable[int]) -> None:
    """Bring the counts in line with the rows below these slots; call it in the transaction that changed them.

    Call it after an acquisition arrived, after its scans were scored and after a person graded one.
    """
    _apply(session, expected_scan_ids, is_counted=True)


def uncount_slots(session: Session, expected_scan_ids: Iterable[int]) -> None:
    """Take everything below these slots out of the counts, before an acquisition's own place is corrected.

    Call ``recount_slots`` after the correction (device, time, technician, what it replaces), in the same transaction.
    """
    _apply(session, expected_scan_ids, is_counted=False)


def contributions(slot: Slot, standings: Sequence[Standing]) -> Counter[CountKey]:
    """What a slot contributes to the counts where its captures stand as given.

    First-pass measures leave replacements out; the final ones belong to the slot and are booked where its first
    capture was taken. Findings are those of decided first captures. Phantoms count nowhere.
    """
    counts: Counter[CountKey] = Counter()
    received = [
        (capture, stands)
        for capture, stands in zip(slot.captures, standings, strict=True)
        if stands.is_received and not capture.is_phantom
    ]
    for capture, stands in received:
        if capture.is_replacement:
            counts[CountKey.of(capture, RateMeasure.REPEATED)] += stands.is_decided
            counts[CountKey.of(capture, RateMeasure.REPEATED_GRADABLE)] += stands.is_gradable
        else:
            counts[CountKey.of(capture, RateMeasure.RECEIVED)] += 1
            counts[CountKey.of(capture, RateMeasure.DECIDED)] += stands.is_decided
            counts[CountKey.of(capture, RateMeasure.GRADABLE)] += stands.is_gradable
            for finding in stands.findings:
                counts[CountKey.of(capture, finding.measure, finding.detail)] += 1
    if received:
        first = received[0][0]
        counts[CountKey.of(first, RateMeasure.FINAL_RECEIVED)] += 1
        counts[CountKey.of(first, RateMeasure.FINAL_GRADABLE)] += any(stands.is_gradable for _, stands in received)
    return counts


def visit_contributions(slots: Sequence[Slot], standings: Sequence[Sequence[Standing]]) -> Counter[CountKey]:
    """What a whole visit contributes where the captures of its slots stand as given: its slots', and itself.

    A visit counts once per device, technician, software version and week in it (nearly always one of each), as a whole
    and under each scan type, by how many of its first captures are decided and gradable.
    """
    counts: Counter[CountKey] = Counter()
    decided: Counter[CountKey] = Counter()
    gradable: Counter[CountKey] = Counter()
    for slot, stand in zip(slots, standings, strict=True):
        counts.update(contributions(slot, stand))
        for capture, stands in zip(slot.captures, stand, strict=True):
            if stands.is_decided and not capture.is_phantom and not capture.is_replacement:
                own = CountKey.of(capture, RateMeasure.VISITS)
                for key in (own, replace(own, scan_type=WHOLE_VISIT)):
                    decided[key] += 1
                    gradable[key] += stands.is_gradable
    for key, n in decided.items():
        counts[replace(key, detail=f"{n}/{gradable[key]}")] += 1
    return counts


def _apply(session: Session, expected_scan_ids: Iterable[int], *, is_counted: bool) -> None:
    slot_ids = frozenset(expected_scan_ids)
    session.flush()
    deltas: Counter[CountKey] = Counter()
    flags: list[tuple[int, Standing]] = []
    for slots in read_visits(session, lock_slots(session, slot_ids)):
        before = [[capture.counted for capture in slot.captures] for slot in slots]
        after = [_target(slot, is_ours=slot.expected_scan_id in slot_ids, is_counted=is_counted) for slot in slots]
        deltas.update(visit_contributions(slots, after))
        deltas.subtract(visit_contributions(slots, before))
        flags += [
            (capture.acquisition_id, stands)
            for slot, standings in zip(slots, after, strict=True)
            for capture, stands in zip(slot.captures, standings, strict=True)
            if capture.counted != stands
        ]
    set_counted(session, flags)
    append_deltas(session, deltas)


def _target(slot: Slot, *, is_ours: bool, is_counted: bool) -> list[Standing]:
    """How the counts shall hold a slot's captures: those of other slots of the visit stay as they are counted."""
    if not is_ours:
        return [capture.counted for capture in slot.captures]
    return [capture.standing if is_counted else NOTHING for capture in slot.captures]


def set_counted(session: Session, flags: Sequence[tuple[int, Standing]]) -> None:
    """Write down what the counts now hold of each acquisition: one statement per distinct standing."""
    for stands in {stands for _, stands in flags}:
        session.execute(
            update(Acquisition)
            .where(Acquisition.id.in_([acquisition_id for acquisition_id, other in flags if other == stands]))
            .values(
                is_counted_received=stands.is_received,
                is_counted_decided=stands.is_decided,
                is_counted_gradable=stands.is_gradable,
                counted_findings=sorted(str(finding) for finding in stands.findings),
            )
        )


def append_deltas(session: Session, deltas: Counter[CountKey]) -> None:
    """Append one row per key that changed; a change that cancels itself leaves none."""
    rows = [count_row(key, n) for key, n in deltas.items() if n]
    if rows:
        session.execute(insert(RateDelta), rows)


def count_row(key: CountKey, n: int) -> dict[str, Any]:
    """A count as a row of rate or rate_delta."""
    return {**{column: getattr(key, column) for column in KEY_COLUMNS}, "n": n}


def fold_deltas(session: Session, *, limit: int = FOLD_LIMIT) -> int:
    """Move the oldest deltas into the folded counts and their sums; return how many.

    Does nothing where another process folds.
    """
    if not session.scalar(select(func.pg_try_advisory_xact_lock(FOLDING_LOCK))):
        return 0
    oldest = select(RateDelta.id).order_by(RateDelta.id).limit(limit).scalar_subquery()
    moved = (
        delete(RateDelta)
        .where(RateDelta.id.in_(oldest))
        .returning(*(getattr(RateDelta, column) for column in KEY_COLUMNS), RateDelta.n)
        .cte("moved")
    )
    keys = [moved.c[column] for column in KEY_COLUMNS]
    n = cast(func.sum(moved.c.n), BigInteger).label("n")
    sums = select(*keys, n, func.count().label("n_deltas")).group_by(*keys).cte("sums")
    columns = [sums.c[column] for column in (*KEY_COLUMNS, "n")]
    upsert = postgresql_insert(Rate).from_select([*KEY_COLUMNS, "n"], select(*columns))
    folded = (
        upsert.on_conflict_do_update(index_elements=list(KEY_COLUMNS), set_={"n": Rate.n + upsert.excluded.n})
        .returning(Rate.id)
        .cte("folded")
    )
    rows: Sequence[Sequence[Any]] = session.execute(select(*columns, sums.c.n_deltas).add_cte(folded)).all()
    add_to_sums(session, (Count(*row[:-1]) for row in rows))
    return sum(row[-1] for row in rows)


def all_counts() -> Subquery:
    """Folded counts and unfolded deltas together: sum ``n`` over these rows and the number is exact at this moment."""
    folded = select(*(getattr(Rate, column) for column in KEY_COLUMNS), Rate.n)
    unfolded = select(*(getattr(RateDelta, column) for column in KEY_COLUMNS), RateDelta.n)
    return union_all(folded, unfolded).subquery("counts")

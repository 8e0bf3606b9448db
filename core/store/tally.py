"""Counts of a group as one value, and of how many patients they are at least. Read by every page that shows rates."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ARRAY, BigInteger, ColumnElement, column, func, literal, select, true
from sqlalchemy.orm import InstrumentedAttribute, Session

from core.database.tables import Acquisition
from core.statistics.funnel import MIN_PATIENTS
from core.store.scan_filter import ScanFilter, beyond_count_conditions, day_start
from core.vocabulary import RateMeasure

TALLIED = (
    RateMeasure.RECEIVED,
    RateMeasure.DECIDED,
    RateMeasure.GRADABLE,
    RateMeasure.FINAL_RECEIVED,
    RateMeasure.FINAL_GRADABLE,
)
"""The measures of which a Tally consists, under the names of its fields."""

FIRST_PROBE, PATIENT_PROBE = 16, 100
"""Patients are counted among this many captures of a group: the second where the first finds fewer than 3 patients.

Enough to tell "fewer than 3", and bounded work.
"""


@dataclass(frozen=True, slots=True)
class Tally:
    """Counts of captures (acquisitions) and of slots (subject x visit x eye x type) in one group.

    First-pass rate = ``gradable`` / ``decided`` (replacements excluded); final rate = ``final_gradable`` /
    ``final_received``. They are different numbers and are shown side by side.
    """

    received: int = 0
    decided: int = 0
    gradable: int = 0
    final_received: int = 0
    final_gradable: int = 0

    def __add__(self, other: "Tally") -> "Tally":
        """Counts add up, group by group and week by week."""
        return Tally(
            self.received + other.received,
            self.decided + other.decided,
            self.gradable + other.gradable,
            self.final_received + other.final_received,
            self.final_gradable + other.final_gradable,
        )


def probe_patients(
    session: Session,
    chosen: ScanFilter,
    group: InstrumentedAttribute[int] | InstrumentedAttribute[int | None],
    ids: Sequence[int],
    *conditions: ColumnElement[bool],
) -> dict[int, int]:
    """Distinct patients among the latest captures of each group, read by index alone, one or two probes per group.

    ``group`` is the acquisition's column that names the group, ``conditions`` narrow the captures further.
    """
    period: list[ColumnElement[bool]] = [
        Acquisition.is_phantom.is_(False), *beyond_count_conditions(chosen), *conditions,
    ]  # fmt: skip
    if chosen.since is not None:
        period.append(Acquisition.acquired_at >= day_start(chosen.since))
    if chosen.until is not None:
        period.append(Acquisition.acquired_at < day_start(chosen.until))
    found = _probe(session, group, ids, FIRST_PROBE, period)
    few = [id_ for id_, n in found.items() if n < MIN_PATIENTS]
    return found | _probe(session, group, few, PATIENT_PROBE, period)


def _probe(
    session: Session,
    group: InstrumentedAttribute[int] | InstrumentedAttribute[int | None],
    ids: Sequence[int],
    n_captures: int,
    conditions: Sequence[ColumnElement[bool]],
) -> dict[int, int]:
    if not ids:
        return {}
    asked = (
        func.unnest(literal(list(ids), ARRAY(BigInteger)))
        .table_valued(column("id", BigInteger), name="asked")
        .render_derived()
    )
    probe = (
        select(Acquisition.subject_id)
        .where(group == asked.c.id, *conditions)
        .order_by(Acquisition.acquired_at.desc())  # as the index runs, else the planner hopes for luck in a full walk
        .limit(n_captures)
        .correlate(asked)
        .lateral()
    )
    statement = (
        select(asked.c.id, func.count(func.distinct(probe.c.subject_id))).join(probe, true()).group_by(asked.c.id)
    )
    return dict(session.execute(statement).all())

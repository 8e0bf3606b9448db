"""Masks to draw next: the scored scans a round is chosen from, the rounds of a study, the masks that came back."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ARRAY, BigInteger, Row, Select, any_, func, literal, select, true, update
from sqlalchemy.orm import Session

from core.database.tables import Acquisition, Assessment, Device, MaskRound, Scan, Site, Subject, User, WantedMask
from core.store.newest import last_scan, newest, within
from core.store.scan_filter import ScanFilter
from core.store.scan_name import scan_file_name
from core.values import ImageIndices, Measure, Measured, NotComputable
from core.vocabulary import ScanKind
from core.volume import middle_of

MOST_CANDIDATES, MOST_OF_A_SITE = 2_000, 500
"""The newest scans, of all sites and of each: enough to choose fifty from, and bounded work."""
MOST_BSCANS = 10_000
"""Of volumes the newest that have about so many B-scans together, some hundred: a sixth of a second of the page."""
FIRST_REACH = 2_500
"""So many of the latest scans are looked through at first."""
_INDICES = ("blurriness", "psnr_inverse", "cov", "mean", "q_level_agreement")


@dataclass(frozen=True, slots=True)
class MaskCandidate:
    """A scored scan of a lane, or one B-scan of a volume, with what it can be chosen by.

    ``bscan_index`` counts from 0; it is None for a scan's own image, which of a volume is its middle B-scan.
    ``is_middle`` says that a B-scan is that one.
    """

    scan_id: int
    site_id: int
    device_model: str
    indices: ImageIndices
    bscan_index: int | None = None
    is_middle: bool = False


@dataclass(frozen=True, slots=True)
class RoundRow:
    """A round as people read it."""

    id: int
    study_id: int
    kind: ScanKind
    step: int
    rule: dict[str, Any]
    created_by: str
    created_at: datetime
    n_wanted: int
    n_drawn: int
    """Masks that have come back."""


@dataclass(frozen=True, slots=True)
class WantedScan:
    """One scan of a round, or one B-scan of a volume; width and height are those of the image to be drawn on."""

    scan_id: int
    bscan_index: int | None
    """From 0; None: the scan's own image."""
    site_id: int
    rank: int
    q: float | None
    site_code: str
    device_code: str
    device_model: str
    subject_code: str
    acquisition_id: int
    image_sha256: str
    volume_sha256: str | None
    width_px: int
    height_px: int
    mask_sha256: str | None
    imported_at: datetime | None
    imported_by: str | None

    @property
    def name(self) -> str:
        """What its files are called in an export."""
        return scan_file_name(self.scan_id, self.bscan_index)


@dataclass(frozen=True, slots=True)
class LaneCount:
    """How many of the newest scored scans are of a lane, and how many of them have a mask."""

    kind: ScanKind
    n_scored: int
    n_drawn: int


def read_mask_candidates(session: Session, study_id: int, kind: ScanKind) -> list[MaskCandidate]:
    """The newest scored scans of a lane of a study that show a person, the oldest of them first.

    Of a volume every B-scan, where its model measured each; one that was scored by an earlier release stands there with
    its middle B-scan alone.
    """
    ids = [row.id for row in _newest(session, study_id, kind)]
    candidates = (
        select(
            Scan.id, Scan.site_id, Device.manufacturer, Device.model, Assessment.not_computable,
            *(getattr(Assessment, name) for name in _INDICES),
            Assessment.findings["document"]["bscan_indices"].label("bscan_indices"),
        )
        .join(Assessment, Assessment.id == Scan.assessment_id)
        .join(Acquisition, Acquisition.id == Scan.acquisition_id)
        .join(Device, Device.id == Acquisition.device_id)
        .where(Scan.id == any_(literal(ids, ARRAY(BigInteger))))
        .order_by(Scan.id.desc())
        .execution_options(yield_per=100)
    )  # fmt: skip
    found: list[MaskCandidate] = []
    rows = session.execute(candidates)
    for row in rows:
        found.extend(_candidates(row))
        if len(found) >= MOST_BSCANS:
            break
    rows.close()
    return found[::-1]


def _candidates(row: Any) -> Iterator[MaskCandidate]:
    """The scan, or the B-scans of a volume, the last of them first."""
    device = f"{row.manufacturer} {row.model}".strip()
    if not row.bscan_indices:
        yield MaskCandidate(row.id, row.site_id, device, _indices(row))
        return
    n_bscans = len(row.bscan_indices[_INDICES[0]])
    for index in reversed(range(n_bscans)):
        values = (row.bscan_indices[name][index] for name in _INDICES)
        indices = ImageIndices(*(_measure(value, None) for value in values))
        yield MaskCandidate(row.id, row.site_id, device, indices, index, is_middle=index == middle_of(n_bscans))


def read_lanes_to_draw(session: Session, study_id: int) -> list[LaneCount]:
    """The lanes of a study among its newest MOST_CANDIDATES scored scans: more would be walked for nothing."""
    candidates = _newest(session, study_id, None)
    drawn = set(
        session.scalars(
            select(WantedMask.scan_id).where(
                WantedMask.scan_id == any_(literal([row.id for row in candidates], ARRAY(BigInteger))),
                WantedMask.mask_sha256.is_not(None),
            )
        )
    )
    n_scored = Counter(row.kind for row in candidates)
    n_drawn = Counter(row.kind for row in candidates if row.id in drawn)
    return [LaneCount(ScanKind(kind), n, n_drawn[kind]) for kind, n in sorted(n_scored.items())]


def read_drawn(session: Session, study_id: int, kind: ScanKind) -> dict[tuple[int, int | None], str]:
    """The hash of the newest mask of every scan, and of every B-scan of a volume, that has one."""
    rows = session.execute(
        select(WantedMask.scan_id, WantedMask.bscan_index, WantedMask.mask_sha256)
        .join(MaskRound, MaskRound.id == WantedMask.round_id)
        .where(MaskRound.study_id == study_id, MaskRound.kind == kind, WantedMask.mask_sha256.is_not(None))
        .order_by(WantedMask.imported_at)
    )
    return {(scan_id, index): sha256 for scan_id, index, sha256 in rows if sha256 is not None}


def read_asked(session: Session, study_id: int, kind: ScanKind) -> set[tuple[int, int | None]]:
    """Scans, and B-scans of volumes, that some round asks for, whether their mask is there or not."""
    rows = session.execute(
        select(WantedMask.scan_id, WantedMask.bscan_index)
        .join(MaskRound, MaskRound.id == WantedMask.round_id)
        .where(MaskRound.study_id == study_id, MaskRound.kind == kind)
    )
    return {(scan_id, index) for scan_id, index in rows}


def add_round(
    session: Session,
    *,
    study_id: int,
    kind: ScanKind,
    step: int,
    rule: dict[str, Any],
    created_by_id: int,
    wanted: Sequence[tuple[MaskCandidate, float | None]],
) -> int:
    """Write a round and its scans, the most wanted first; return its id."""
    row = MaskRound(study_id=study_id, kind=kind, step=step, rule=rule, created_by_id=created_by_id)
    session.add(row)
    session.flush()
    session.add_all(
        WantedMask(
            round_id=row.id,
            rank=rank,
            scan_id=candidate.scan_id,
            bscan_index=candidate.bscan_index,
            site_id=candidate.site_id,
            q=q,
        )
        for rank, (candidate, q) in enumerate(wanted, start=1)
    )
    session.flush()
    return row.id


def list_rounds(session: Session, study_id: int | None = None) -> list[RoundRow]:
    """The rounds that this person may see, newest first."""
    statement = _rounds().order_by(MaskRound.id.desc())
    if study_id is not None:
        statement = statement.where(MaskRound.study_id == study_id)
    return [_round_row(row) for row in session.execute(statement)]


def read_round(session: Session, round_id: int) -> RoundRow | None:
    """One round; None where there is none that this person may see."""
    row = session.execute(_rounds().where(MaskRound.id == round_id)).one_or_none()
    return None if row is None else _round_row(row)


def read_wanted(session: Session, round_id: int) -> list[WantedScan]:
    """The scans of a round that lie within this person's sites, the most wanted first."""
    rows = session.execute(
        select(
            WantedMask.scan_id, WantedMask.bscan_index, WantedMask.site_id, WantedMask.rank, WantedMask.q,
            Site.code.label("site_code"),
            Device.code.label("device_code"), Device.manufacturer, Device.model, Subject.code.label("subject_code"),
            Scan.acquisition_id, Scan.image_sha256, Scan.volume_sha256, Scan.width_px, Scan.height_px,
            WantedMask.mask_sha256, WantedMask.imported_at, User.display_name,
        )
        .join(Scan, Scan.id == WantedMask.scan_id)
        .join(Acquisition, Acquisition.id == Scan.acquisition_id)
        .join(Site, Site.id == Scan.site_id)
        .join(Device, Device.id == Acquisition.device_id)
        .join(Subject, Subject.id == Acquisition.subject_id)
        .outerjoin(User, User.id == WantedMask.imported_by_id)
        .where(WantedMask.round_id == round_id)
        .order_by(WantedMask.rank)
    )  # fmt: skip
    return [
        WantedScan(
            row.scan_id, row.bscan_index, row.site_id, row.rank, row.q, row.site_code, row.device_code,
            f"{row.manufacturer} {row.model}".strip(), row.subject_code, row.acquisition_id, row.image_sha256,
            row.volume_sha256, row.width_px, row.height_px, row.mask_sha256, row.imported_at, row.display_name,
        )
        for row in rows
    ]  # fmt: skip


def put_mask(session: Session, round_id: int, rank: int, sha256: str, *, by_id: int, at: datetime) -> None:
    """Note a mask that came back for the image of this rank, in place of one that came before."""
    session.execute(
        update(WantedMask)
        .where(WantedMask.round_id == round_id, WantedMask.rank == rank)
        .values(mask_sha256=sha256, imported_at=at, imported_by_id=by_id)
    )


def _newest(session: Session, study_id: int, kind: ScanKind | None) -> Sequence[Row[Any]]:
    """Id and kind of the newest scored scans that show a person."""
    last = session.scalar(last_scan(ScanFilter(study_id=study_id))) or 0
    return newest(
        last, lambda *borders: session.execute(_newest_between(borders, study_id, kind)).all(), n=MOST_CANDIDATES,
        first_reach=FIRST_REACH,
    )  # fmt: skip


def _newest_between(borders: tuple[int, int], study_id: int, kind: ScanKind | None) -> Select[Any]:
    """Site by site, so that the index of (site, id) is walked."""
    of_site = (
        select(Scan.id, Scan.kind)
        .join(Acquisition, Acquisition.id == Scan.acquisition_id)
        .where(
            Scan.site_id == Site.id,
            *within(Scan.id, borders),
            Scan.assessment_id.is_not(None),
            Acquisition.is_phantom.is_(False),
            true() if kind is None else Scan.kind == kind,
        )
        .order_by(Scan.id.desc())
        .limit(MOST_OF_A_SITE)
        .lateral()
    )
    return (
        select(of_site.c.id, of_site.c.kind)
        .select_from(Site)
        .join(of_site, true())
        .where(Site.study_id == study_id)
        .order_by(of_site.c.id.desc())
        .limit(MOST_CANDIDATES)
    )


def _indices(row: Any) -> ImageIndices:
    """The stored indices; one that is NULL with the reason that stands beside it."""
    return ImageIndices(*(_measure(getattr(row, name), row.not_computable.get(name)) for name in _INDICES))


def _measure(value: float | None, reason: str | None) -> Measure:
    return NotComputable(reason or "not measured") if value is None else Measured(value)


def _rounds() -> Select[Any]:
    mine = WantedMask.round_id == MaskRound.id
    return select(
        MaskRound.id, MaskRound.study_id, MaskRound.kind, MaskRound.step, MaskRound.rule, MaskRound.created_at,
        User.display_name,
        select(func.count()).where(mine).scalar_subquery().label("n_wanted"),
        select(func.count(WantedMask.mask_sha256)).where(mine).scalar_subquery().label("n_drawn"),
    ).outerjoin(User, User.id == MaskRound.created_by_id)  # fmt: skip


def _round_row(row: Any) -> RoundRow:
    return RoundRow(
        row.id, row.study_id, ScanKind(row.kind), row.step, row.rule, row.display_name or "somebody", row.created_at,
        row.n_wanted, row.n_drawn,
    )  # fmt: skip

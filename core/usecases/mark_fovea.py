"""A reviewer says where the fovea of a volume lies, where the program found none or a wrong one; or takes that back."""

import math

from sqlalchemy.orm import Session

from core.errors import IllegalMoveError, NotAllowedError, NotFoundError, UsageError
from core.measures.fovea import marked_fovea
from core.store.access import Actor
from core.store.audit import record_event
from core.store.fovea_mark import FoveaPoint, add_fovea_mark
from core.store.review import ReviewedScan, lock_reviewed_scan
from core.store.volume_files import VolumeFiles, read_volume_files
from core.usecases.look_at_volume import VolumeSource, look_at_volume
from core.usecases.review_scan import REVIEWERS, reviewer_id_of
from core.values import NotComputable


def mark_fovea(
    session: Session,
    *,
    actor: Actor,
    scan_id: int,
    place_mm: tuple[float, float] | None,
    reason: str,
    source: VolumeSource,
) -> None:
    """Put the fovea at ``place_mm``, mm right of and below the fundus image's upper left corner.

    None takes the marks back, so that the program's own finding counts. ETDRS sectors follow at once wherever they are
    shown; what was stored when the scan was scored stays as it was.

    Raises
    ------
    UsageError
        There is no reason, or the place is no place within the scanned field.
    NotFoundError, NotAllowedError
        There is no such volume in the person's reach; the role does not fit; the scan is the person's own.
    IllegalMoveError
        The volume has no thickness map, or there is no mark to take back.
    """
    scan, files = _volume(session, actor, scan_id)
    if not reason.strip():
        raise UsageError("Why there?", remedy="Write the reason in a few words.")
    before = files.fovea
    if place_mm is None:
        if before is None or before.x_mm is None:
            raise IllegalMoveError("Nobody has marked the fovea of this scan.", remedy="Nothing to do.")
    else:
        _refuse_unfit(files, place_mm, source)
    mark_id = add_fovea_mark(
        session, scan_id, site_id=scan.site_id, place_mm=place_mm, set_by_id=reviewer_id_of(actor),
        reason=reason.strip(),
    )  # fmt: skip
    record_event(
        session, actor=actor, action="fovea.mark" if place_mm else "fovea.take_back", entity="fovea_mark",
        entity_id=mark_id, study_id=scan.study_id, site_id=scan.site_id, before=_place(before),
        after={"scan_id": scan_id} | dict(zip(("x_mm", "y_mm"), place_mm or (None, None), strict=True)),
        reason=reason.strip(),
    )  # fmt: skip


def _volume(session: Session, actor: Actor, scan_id: int) -> tuple[ReviewedScan, VolumeFiles]:
    scan = lock_reviewed_scan(session, scan_id)
    files = read_volume_files(session, scan_id)
    if scan is None or files is None:
        raise NotFoundError(f"There is no volume scan {scan_id} that you see.", remedy="Open one from the worklist.")
    if not actor.has_role(*REVIEWERS, study_id=scan.study_id, site_id=scan.site_id):
        raise NotAllowedError(
            "Your role does not allow you to mark the fovea of this site's scans.", remedy="Ask the reading centre."
        )
    if reviewer_id_of(actor) in scan.own_user_ids:
        raise NotAllowedError(
            "You acquired or uploaded this scan, so you cannot mark its fovea.", remedy="Leave it to another reviewer."
        )
    return scan, files


def _refuse_unfit(files: VolumeFiles, place_mm: tuple[float, float], source: VolumeSource) -> None:
    surfaces = look_at_volume(files, source).surfaces
    if isinstance(surfaces, NotComputable):
        raise IllegalMoveError(
            f"The scan has no thickness map: {surfaces.reason}.", remedy="Mark the fovea of a volume that has one."
        )
    is_inside = all(map(math.isfinite, place_mm)) and not isinstance(
        marked_fovea(surfaces.thickness, *place_mm), NotComputable
    )
    if not is_inside:
        x, y = surfaces.thickness.x_mm, surfaces.thickness.y_mm
        raise UsageError(
            f"{place_mm[0]:g} mm right and {place_mm[1]:g} mm down lie outside the scanned field.",
            remedy=f"It spans {x[0]:.1f} to {x[-1]:.1f} mm right and {y[0]:.1f} to {y[-1]:.1f} mm down.",
        )


def _place(point: FoveaPoint | None) -> dict[str, float | None]:
    return {"x_mm": point.x_mm if point else None, "y_mm": point.y_mm if point else None}

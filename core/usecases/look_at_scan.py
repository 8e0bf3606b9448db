"""What a person needs beside a scan itself to decide about it: place, visit before, check list, own draft, undo."""

from dataclasses import dataclass
from datetime import date

from sqlalchemy.orm import Session

from core.policy.capture_check import CaptureFacts, Check, check_capture
from core.policy.protocol import Protocol
from core.store.access import Actor
from core.store.beside_scan import PreviousScan, read_previous, read_registered_software
from core.store.list_place import ListPlace, read_place
from core.store.protocol import read_protocols
from core.store.review_draft import StoredDraft, read_draft
from core.store.scan_filter import ScanFilter
from core.store.scan_view import ScanView
from core.store.worklist import WorklistTab
from core.usecases.undo_review import Undoable, find_undoable


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Everything beside the scan. ``undoable`` and ``draft`` are the person's own."""

    place: ListPlace
    previous: PreviousScan | None
    checks: tuple[Check, ...]
    draft: StoredDraft | None
    undoable: Undoable | None


def look_at_scan(
    session: Session, view: ScanView, *, actor: Actor, chosen: ScanFilter, tab: WorklistTab, today: date
) -> Surroundings:
    """Read it all; the place is that in the list ``tab`` as ``chosen`` narrows it."""
    return Surroundings(
        place=read_place(session, chosen, tab, today=today, scan_id=view.scan_id),
        previous=read_previous(session, view.scan_id),
        checks=check_scan(session, view),
        draft=None if actor.user_id is None else read_draft(session, reviewer_id=actor.user_id, scan_id=view.scan_id),
        undoable=find_undoable(session, actor=actor, scan_id=view.scan_id),
    )


def check_scan(session: Session, view: ScanView) -> tuple[Check, ...]:
    """Its check list: against the protocol that was in force when the capture was taken, as it was judged."""
    in_force = read_protocols(session, [view.study_id]).at(view.study_id, view.acquired_at)
    return check_capture(
        in_force.protocol if in_force is not None else Protocol.default(),
        CaptureFacts(
            scan_type=view.scan_type,
            laterality=view.laterality,
            slab=view.slab,
            device=view.device_name,
            software_version=view.software_version,
            registered_software=read_registered_software(session, view.acquisition_id),
            has_scale=view.scale is not None,
        ),
    )

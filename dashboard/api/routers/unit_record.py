"""What people did about units: baselines that they signed, flags that they have seen. To be read alone."""

from fastapi import APIRouter

from core.errors import UsageError
from core.store.signed_baseline import SignedVersion, read_baseline_history
from core.usecases.look_at_unit import UnitNote, read_notes
from core.usecases.sign_baseline import scope_of
from core.values import NotComputable
from dashboard.api.documents.base import Listing
from dashboard.api.documents.rates import AcknowledgementDocument, SignedBaselineDocument, UnitNoteDocument
from dashboard.api.filters import RatesAsked, UnitNotesAsked
from dashboard.api.guard import RateReader
from dashboard.filters import Period
from dashboard.navigation import COMPARERS

router = APIRouter(tags=["rates"])


@router.get("/baselines")
def list_baselines(asked: RatesAsked, caller: RateReader) -> Listing[SignedBaselineDocument]:
    """Every version of the baseline of one unit or of a whole study, as the filters choose it, the latest first."""
    caller.require_role(COMPARERS)
    with caller.open_session() as session:
        scope = scope_of(session, asked.chosen(period=Period.ALL))
        if isinstance(scope, NotComputable):
            raise UsageError(f"No baseline is of this selection: {scope.reason}.", remedy="Choose one unit.")
        found = read_baseline_history(session, scope)
    return Listing(items=[_signed(version) for version in found])


@router.get("/unit-notes")
def list_unit_notes(asked: UnitNotesAsked, caller: RateReader) -> Listing[UnitNoteDocument]:
    """Units of a kind whose flags somebody has seen, or about which something is open."""
    caller.require_role(COMPARERS)
    with caller.open_session() as session:
        notes = read_notes(session, asked.by, study_id=asked.study)
    return Listing(items=[_note(key, note) for key, note in sorted(notes.items())])


def _signed(version: SignedVersion) -> SignedBaselineDocument:
    own = {name: getattr(version, name) for name in ("number", "signed_by", "signed_at", "meaning", "reason")}
    frozen = {name: getattr(version.baseline, name) for name in ("centre", "starts_on", "ends_on", "n_points", "n")}
    return SignedBaselineDocument(**own, **frozen)


def _note(key: str, note: UnitNote) -> UnitNoteDocument:
    return UnitNoteDocument(
        key=key,
        acknowledged=[AcknowledgementDocument.model_validate(each) for each in note.acknowledged],
        n_open_actions=len(note.actions),
        is_suspended=note.is_suspended,
    )

"""Which model a scan is for: the activation in force for its study, lane and device, asked in SQL at every claim.

So an activation holds from the very next claim on, whichever workers run, and none of them is told of it.
"""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, ScalarSelect, func, select
from sqlalchemy.orm import Session

from core.database.tables import Acquisition, Device, ModelActivation, Scan, Site
from core.vocabulary import ScanKind

EVERY_DEVICE = ""
"""An activation's device model that stands for all of them."""


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """The scans that one loaded model is for: those for which its version is active.

    ``is_default`` adds those for which no version is: of the model that the installation itself names.
    ``version_id`` is None for such a model where its weights could not be registered.
    """

    version_id: int | None
    is_default: bool

    def condition(self) -> ColumnElement[bool]:
        """Condition on Scan."""
        active = _active_version()
        if not self.is_default:
            return active == self.version_id
        if self.version_id is None:
            return active.is_(None)
        return func.coalesce(active, self.version_id) == self.version_id


def _active_version() -> ScalarSelect[int]:
    """The version that is active for the scan of the statement around it; NULL where none is."""
    model_of_device = Device.manufacturer + " " + Device.model
    return (
        select(ModelActivation.model_version_id)
        .select_from(Acquisition)
        .join(Device, Device.id == Acquisition.device_id)
        .join(Site, Site.id == Acquisition.site_id)
        .join(ModelActivation, ModelActivation.study_id == Site.study_id)
        .where(
            Acquisition.id == Scan.acquisition_id,
            ModelActivation.kind == Scan.kind,
            ModelActivation.ended_at.is_(None),
            ModelActivation.device_model.in_((EVERY_DEVICE, model_of_device)),
        )
        .order_by(ModelActivation.device_model.desc())  # the empty name of all devices comes last
        .limit(1)
        .correlate(Scan)
        .scalar_subquery()
    )


def active_versions(session: Session, lane: ScanKind) -> tuple[int, ...]:
    """The model versions that are active in a lane for any study and device, by id."""
    wanted = select(ModelActivation.model_version_id).where(
        ModelActivation.kind == lane, ModelActivation.ended_at.is_(None)
    )
    return tuple(session.scalars(wanted.distinct().order_by(ModelActivation.model_version_id)))

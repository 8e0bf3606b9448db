"""Registered models, activations, and orders to score scans again."""

from datetime import date, datetime
from typing import Annotated

from pydantic import Field

from core.vocabulary import AdoptionOutcome, ModelOrigin, ReEvaluationState, RescoredState, ScanKind
from dashboard.api.documents.base import Body, Document, Facts, GivenDay, Id, Text


class ModelDocument(Document):
    """One registered model version."""

    id: int
    name: str
    version: str
    kind: ScanKind
    weights_sha256: str
    preprocessing: str
    origin: ModelOrigin
    is_stored: bool = Field(description="False: its weights are not in the blob store, so nothing can be given to it.")
    registered_at: datetime
    retired_at: datetime | None
    retired_reason: str
    n_active: int = Field(description="Activations in your studies.")


class ModelWithCardDocument(ModelDocument):
    """The same with its card, as it was stored."""

    card: Facts


class ActivationDocument(Document):
    """A signed decision about which model scores a lane of a study."""

    id: int
    study_id: int
    kind: ScanKind
    device_model: str = Field(description="Manufacturer and model; empty: every device.")
    version_id: int
    model: str
    reason: str
    meaning: str = Field(description="What the signature stands for.")
    activated_by: str
    activated_at: datetime
    ended_at: datetime | None = Field(description="Null while it holds.")
    ended_by: str | None
    end_reason: str


class RescoringDocument(Document):
    """An order to score scans again with another model."""

    id: int
    study_id: int
    site_id: int | None = Field(description="Null: all sites.")
    kind: ScanKind
    version_id: int
    model: str
    since: date | None
    until: date | None = Field(description="The day after the last.")
    reason: str
    requested_by: str
    requested_at: datetime
    state: ReEvaluationState
    started_at: datetime | None
    ended_at: datetime | None
    adopted_at: datetime | None = Field(description="When somebody signed that its scores count; null: nobody has.")
    adopted_by: str | None
    adoption_reason: str
    adoption_ended_at: datetime | None
    scans: dict[RescoredState, int] = Field(description="Its scans by where they stand.")
    outcomes: dict[AdoptionOutcome, int] = Field(description="Its scans by what adopting did to them.")


class OrderedDocument(Document):
    """An order that was just given."""

    id: int
    n_scans: int


class RescoringBody(Body):
    """Which version scores which scans again, and why."""

    kind: ScanKind
    version_id: Id
    site_id: Annotated[int | None, Field(ge=1)] = None
    since: GivenDay | None = Field(default=None, description="Captured from this day on.")
    until: GivenDay | None = Field(default=None, description="Captured before this day.")
    reason: Text


class StopBody(Body):
    """Why it is stopped."""

    reason: Text

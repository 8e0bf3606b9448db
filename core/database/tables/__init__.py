"""All tables, one file per aggregate, re-exported here so that Alembic and relationships see every one."""

from core.database.tables.access import EmailConfirmation, Session, SiteGrant, User
from core.database.tables.action import Action, ActionStep, FlagAcknowledgement, SignedBaseline
from core.database.tables.alert import Alert, AlertDelivery, AlertSubscription
from core.database.tables.assessment import Assessment, AssessmentArtifact, AssessmentReason, ModelVersion
from core.database.tables.audit import AuditEvent, AuditSeal, Rate, RateDelta
from core.database.tables.base import Base
from core.database.tables.rate_sum import RateCell, RateSeries, RateSum, RateTerm
from core.database.tables.review import ReacquisitionRequest, ReacquisitionStep, Review
from core.database.tables.scan import Acquisition, Batch, BatchFile, Blob, Scan, SharedImage
from core.database.tables.study import Annotation, Device, ProtocolVersion, Site, Study, Technician
from core.database.tables.subject import ExpectedScan, Subject, Visit

__all__ = [
    "Acquisition", "Action", "ActionStep", "Alert", "AlertDelivery", "AlertSubscription", "Annotation",
    "Assessment", "AssessmentArtifact", "AssessmentReason", "AuditEvent", "AuditSeal", "Base", "Batch", "BatchFile",
    "Blob", "Device", "EmailConfirmation", "ExpectedScan", "FlagAcknowledgement", "ModelVersion",
    "ProtocolVersion", "Rate", "RateCell", "RateDelta", "RateSeries", "RateSum", "RateTerm",
    "ReacquisitionRequest", "ReacquisitionStep", "Review", "Scan", "Session", "SharedImage", "SignedBaseline",
    "Site", "SiteGrant", "Study", "Subject", "Technician", "User", "Visit",
]  # fmt: skip

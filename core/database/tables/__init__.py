"""All tables, one file per aggregate, re-exported here so that Alembic and relationships see every one."""

from core.database.tables.access import EmailConfirmation, IdentityProvider, Session, SiteGrant, User, UserIdentity
from core.database.tables.action import Action, ActionStep, FlagAcknowledgement, SignedBaseline
from core.database.tables.alert import Alert, AlertDelivery, AlertSubscription
from core.database.tables.api_client import ApiClient, ApiToken
from core.database.tables.assessment import (
    Assessment,
    AssessmentArtifact,
    AssessmentPicture,
    AssessmentReason,
    ModelVersion,
)
from core.database.tables.audit import AuditCheck, AuditEvent, AuditSeal, Rate, RateDelta
from core.database.tables.base import Base
from core.database.tables.best_capture import BestCapture
from core.database.tables.certificate import Certificate, CertificateEvidence, CertificateStep
from core.database.tables.dicom import DicomSource
from core.database.tables.faz_outline import FazOutline
from core.database.tables.fovea_mark import FoveaMark
from core.database.tables.grading import AcceptedCheck, Grading, GradingAssignment, ReviewerCalibration
from core.database.tables.mask import MaskRound, WantedMask
from core.database.tables.model import ModelActivation, Rescoring, RescoringScan
from core.database.tables.query import QueryMessage, QuerySeen
from core.database.tables.rate_sum import RateCell, RateSeries, RateSum, RateTerm
from core.database.tables.re_evaluation import ReEvaluation, ReEvaluationScan
from core.database.tables.report import Report, ReportRecipient, ReportSchedule, ReportSending
from core.database.tables.review import ReacquisitionRequest, ReacquisitionStep, Review, ReviewCriterion
from core.database.tables.reviewing import BulkReview, BulkReviewScan, ReviewDraft, ScanClaim
from core.database.tables.scan import Acquisition, Batch, BatchFile, Blob, Scan, SharedImage
from core.database.tables.study import Annotation, Device, ProtocolVersion, Site, Study, Technician
from core.database.tables.subject import ExpectedScan, Subject, Visit
from core.database.tables.worker import WorkerHour, WorkerProcess

__all__ = [
    "AcceptedCheck",
    "Acquisition",
    "Action",
    "ActionStep",
    "Alert",
    "AlertDelivery",
    "AlertSubscription",
    "Annotation",
    "ApiClient",
    "ApiToken",
    "Assessment",
    "AssessmentArtifact",
    "AssessmentPicture",
    "AssessmentReason",
    "AuditCheck",
    "AuditEvent",
    "AuditSeal",
    "Base",
    "Batch",
    "BatchFile",
    "BestCapture",
    "Blob",
    "BulkReview",
    "BulkReviewScan",
    "Certificate",
    "CertificateEvidence",
    "CertificateStep",
    "Device",
    "DicomSource",
    "EmailConfirmation",
    "ExpectedScan",
    "FazOutline",
    "FlagAcknowledgement",
    "FoveaMark",
    "Grading",
    "GradingAssignment",
    "IdentityProvider",
    "MaskRound",
    "ModelActivation",
    "ModelVersion",
    "ProtocolVersion",
    "QueryMessage",
    "QuerySeen",
    "Rate",
    "RateCell",
    "RateDelta",
    "RateSeries",
    "RateSum",
    "RateTerm",
    "ReEvaluation",
    "ReEvaluationScan",
    "ReacquisitionRequest",
    "ReacquisitionStep",
    "Report",
    "ReportRecipient",
    "ReportSchedule",
    "ReportSending",
    "Rescoring",
    "RescoringScan",
    "Review",
    "ReviewCriterion",
    "ReviewDraft",
    "ReviewerCalibration",
    "Scan",
    "ScanClaim",
    "Session",
    "SharedImage",
    "SignedBaseline",
    "Site",
    "SiteGrant",
    "Study",
    "Subject",
    "Technician",
    "User",
    "UserIdentity",
    "Visit",
    "WantedMask",
    "WorkerHour",
    "WorkerProcess",
]

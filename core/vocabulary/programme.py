"""What a programme is run by: roles, counts, actions, certificates, alerts, reports, programs."""

from enum import StrEnum


class Role(StrEnum):
    """What a user may do, per study and site (docs/roles.md holds the table)."""

    SITE_TECHNICIAN = "site_technician"
    QC_TECHNICIAN = "qc_technician"
    GRADER = "grader"
    ADJUDICATOR = "adjudicator"
    MANAGER = "manager"
    ADMIN = "admin"


class RateMeasure(StrEnum):
    """What is counted for the rates: acquisitions on the first pass, and slots for the final rate (docs/rates.md)."""

    RECEIVED = "received"
    DECIDED = "decided"
    GRADABLE = "gradable"
    FINAL_RECEIVED = "final_received"
    FINAL_GRADABLE = "final_gradable"
    REPEATED = "repeated"
    """Captures taken again for another, of which every required slab is graded."""
    REPEATED_GRADABLE = "repeated_gradable"
    VISITS = "visits"
    """Patient visits by composition: detail ``3/2`` is three captures decided, two of them gradable."""
    ARTIFACT = "artifact"
    """Decided captures with an artifact: detail ``motion severe``."""
    CAUSE = "cause"
    """Ungradable captures by cause, each counted under every cause it has: detail is the reason's code."""
    FIRST_CAUSE = "first_cause"
    """Ungradable captures by their weightiest cause, each counted once."""
    DEVIATION = "deviation"
    """Decided captures that are not as the protocol says: detail is a ``Deviation``, or ``any``, each counted once."""
    SCORE = "score"
    """Scored slabs by the model's probability of ungradable: detail ``superficial 3`` is 0.3 to below 0.4."""
    DEVICE_INDEX = "device_index"
    """Scored captures by the device's own quality index: detail ``SSI 65`` is 65 to below 70."""
    ABSTAINED = "abstained"
    """Scored slabs that the model abstained from: detail is the slab."""
    STRANGER = "stranger"
    """Scored slabs that look like no OCTA image: detail is the slab."""


class Deviation(StrEnum):
    """In what a capture is not as the protocol says (core.policy.deviation)."""

    WINDOW = "window"
    """Taken after the last day on which it counts for its visit."""
    SCAN_TYPE = "scan_type"
    """Of a type or field that the protocol does not expect."""
    LATERALITY = "laterality"
    """Of an eye that it does not ask for."""
    DEVICE = "device"
    """On a device that it does not name."""
    SOFTWARE = "software"
    """With a software version that is not on record for the device."""
    SCALE = "scale"
    """Without the field's size in millimetres, which it asks for."""


class ActionKind(StrEnum):
    """What a manager does about a unit beyond looking at it."""

    ISSUE = "issue"
    """Something that the site has to put right."""
    RETRAINING = "retraining"
    """A technician learns it anew; closed with the evidence."""
    SUSPENSION = "suspension"
    """A device's certificate does not hold until it is lifted: its scans are taken and marked."""


class ActionState(StrEnum):
    """Where an action stands."""

    OPEN = "open"
    DONE = "done"
    """Put right, learned, or, of a suspension, lifted."""
    DROPPED = "dropped"
    """Given up, with a reason."""


class CertificateState(StrEnum):
    """Where a certificate stands (core.policy.certification.MOVES).

    The last two are not stored: they follow from its last day and from an open suspension of its holder.
    """

    REQUESTED = "requested"
    UNDER_REVIEW = "under_review"
    """The reading centre looks at the evidence."""
    CERTIFIED = "certified"
    REFUSED = "refused"
    RECHECK_DUE = "recheck_due"
    """The device runs other software than it was certified with."""
    REPLACED = "replaced"
    """A newer certificate holds instead."""
    EXPIRED = "expired"
    SUSPENDED = "suspended"


class AlertKind(StrEnum):
    """What people are told of without asking (core.usecases.raise_alerts)."""

    UNIT = "unit"
    """A site, device, model or software version rose above the red line."""
    OVERDUE = "overdue"
    """The site still owes something after its day: the new scan of a request, or the end of an issue."""
    RETRAINING = "retraining"
    """A technician's retraining is not done after its day: about a person, so for the reading centre alone."""
    QUEUE = "queue"
    """Scans wait for their score, and none is scored."""
    CERTIFICATE = "certificate"
    """A certificate ends soon, has ended, or must be checked anew: for the reading centre alone."""


class AlertChannel(StrEnum):
    """The way on which a person is told."""

    EMAIL = "email"
    WEBHOOK = "webhook"


class AlertPace(StrEnum):
    """When a person is told of a kind of alert."""

    AT_ONCE = "at_once"
    DAILY = "daily"


class DeliveryState(StrEnum):
    """Where the telling of one alert to one subscription stands."""

    WAITING = "waiting"
    SENT = "sent"
    FAILED = "failed"
    """Tried often enough; nobody tries again."""
    WITHDRAWN = "withdrawn"
    """Not sent: the subscription has ended or the person may no longer see the site."""


class ApiScope(StrEnum):
    """What a program's token lets it do through the API, within what its roles let it see (docs/api.md)."""

    READ_PLACES = "read:places"
    """Studies, sites, devices, technicians, protocol and model versions."""
    READ_SCANS = "read:scans"
    """Scans with assessment and history, their images, the worklist, examples."""
    READ_RATES = "read:rates"
    """Rates with their limits, trends, causes, FAZ, agreement, drift and calibration."""
    READ_WORK = "read:work"
    """Reacquisition requests, questions to sites, actions, alerts."""
    READ_UPLOADS = "read:uploads"
    """Batches, their files and receipts."""
    READ_ADMINISTRATION = "read:administration"
    """Accounts, roles and clients of the API."""
    READ_AUDIT = "read:audit"
    """Audit events."""
    WRITE_UPLOADS = "write:uploads"
    """Open a batch, send files, submit it, release or discard a held file."""
    WRITE_DECISIONS = "write:decisions"
    """Accept or override a scan, ask the site for a new one or a question, accept in bulk, undo."""
    WRITE_WORK = "write:work"
    """What a site does about a request or a question: acknowledge, schedule, not possible, answer."""
    WRITE_REPORTS = "write:reports"
    """Ask for reports, make schedules and change them."""
    WRITE_CERTIFICATES = "write:certificates"
    """Ask for certificates, show evidence, grant, refuse."""
    WRITE_VISITS = "write:visits"
    """The calendar of visits: plan, move, call off."""
    WRITE_MODELS = "write:models"
    """Order that scans are scored again with another model, and stop such an order."""
    WRITE_PROTOCOL = "write:protocol"
    """Publish protocol versions."""


class ReportKind(StrEnum):
    """A document that can be made (core.reports)."""

    SITE = "site"
    """Site report card: one page for a site's staff and its managers."""
    STUDY = "study"
    """Study quality report: the manager's charts, for those who see the whole study."""
    RECEIPT = "receipt"
    """What became of a batch's files; names the files, so for the site's own people alone."""
    TIPS = "tips"
    """One cause of failure: what it is, what it looks like, what to do."""


class ReportState(StrEnum):
    """Where a report stands."""

    ASKED = "asked"
    MADE = "made"
    FAILED = "failed"
    """Tried often enough; nobody tries again."""


class ModelOrigin(StrEnum):
    """How a model version came to the installation."""

    INSTALLATION = "installation"
    """A worker's own model: the bundled one, or the one that its settings name."""
    ADDED = "added"
    """Registered by `octaudit model add`; scores only where it is chosen."""


class SchedulePace(StrEnum):
    """How often a schedule asks for its report."""

    WEEK = "week"
    MONTH = "month"


class ScheduleState(StrEnum):
    """Where a schedule stands; an ended one stays as a record."""

    RUNNING = "running"
    PAUSED = "paused"
    ENDED = "ended"

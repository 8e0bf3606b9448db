"""The field's terms as enums: the one spelling used in code, database, files and on screen. Holds no behaviour.

Values are what is stored and written to files; changing one is a migration and a contract change.
"""

from enum import IntEnum, StrEnum


class Laterality(StrEnum):
    """Which eye. A scan shows one eye; OU is never a scan's laterality."""

    OD = "OD"
    """Right eye (oculus dexter), DICOM R."""
    OS = "OS"
    """Left eye (oculus sinister), DICOM L."""


class ScanKind(StrEnum):
    """What a scan is a picture of; each kind has one scoring lane of the same name."""

    OCTA_ENFACE = "octa-enface"
    ONH_ENFACE = "onh-enface"
    BSCAN = "bscan"
    VOLUME = "volume"


class Slab(StrEnum):
    """The retinal layer band an en-face image was projected from (Campbell 2017, doi:10.1038/srep42201)."""

    SUPERFICIAL = "superficial"
    DEEP = "deep"
    INNER_RETINA = "inner-retina"
    FULL_RETINA = "full-retina"
    CHORIOCAPILLARIS = "choriocapillaris"
    UNKNOWN = "unknown"


class ScaleSource(StrEnum):
    """Where a scan's millimetre scale was read. There is no value for a guess."""

    FILE = "file"
    MANIFEST = "manifest"
    DEVICE_PROFILE = "device profile"
    COMMAND_LINE = "command line"


class GradeScale(StrEnum):
    """The named ordinal scales a grade can be on."""

    COIPS_3 = "coips-3"
    """0 ungradable, 1 gradable, 2 outstanding (Wang et al. 2021, COIPS, Table 2)."""
    ONH_4 = "onh-4"
    """0 unusable to 3 no concern."""


class CoipsGrade(IntEnum):
    """Ordinals of the scale coips-3. A scan is gradable from ordinal 1 on."""

    UNGRADABLE = 0
    GRADABLE = 1
    OUTSTANDING = 2


class ArtifactType(StrEnum):
    """Artifacts that the OCTA en-face lane masks, in channel order of the network's head."""

    MOTION = "motion"
    SHADOW = "shadow"
    DEFOCUS = "defocus"
    LOW_SIGNAL = "low_signal"


class Severity(StrEnum):
    """How much of the region of interest an artifact takes: < 1 %, 1-10 %, > 10 %."""

    NONE = "none"
    MILD = "mild"
    SEVERE = "severe"


class Verdict(StrEnum):
    """What the policy says should happen to a scan."""

    ACCEPT = "accept"
    REVIEW = "review"
    REACQUIRE = "reacquire"


class OperatorFixable(StrEnum):
    """Whether the operator at the device can cure the reason by taking the scan again."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


class ReasonCode(StrEnum):
    """Why a scan is flagged: OSCAR-MP for OCTA, OSCAR-IB for structural OCT, our own codes beside them.

    OSCAR-MP: Wicklein et al. 2023, doi:10.1212/NXI.0000000000200169.
    OSCAR-IB: Tewarie et al. 2012, doi:10.1371/journal.pone.0034823.
    """

    MP_OBVIOUS = "oscar-mp:O"
    MP_SIGNAL = "oscar-mp:S"
    MP_CENTRATION = "oscar-mp:C"
    MP_ALGORITHM = "oscar-mp:A"
    MP_PATHOLOGY = "oscar-mp:R"
    MP_MOTION = "oscar-mp:M"
    MP_PROJECTION = "oscar-mp:P"
    IB_OBVIOUS = "oscar-ib:O"
    IB_SIGNAL = "oscar-ib:S"
    IB_CENTRATION = "oscar-ib:C"
    IB_ALGORITHM = "oscar-ib:A"
    IB_PATHOLOGY = "oscar-ib:R"
    IB_ILLUMINATION = "oscar-ib:I"
    IB_BEAM = "oscar-ib:B"
    NOT_OCTA = "octaudit:not-octa"
    ABSTAINED = "octaudit:abstained"
    UNSEEN_DEVICE = "octaudit:unseen-device"
    UNSEEN_FIELD = "octaudit:unseen-field"
    UNSEEN_SLAB = "octaudit:unseen-slab"
    UNGRADABLE = "octaudit:ungradable"
    CAM_DISAGREEMENT = "octaudit:cam-disagreement"
    SLAB_DISAGREEMENT = "octaudit:slab-disagreement"
    NO_SCALE = "octaudit:no-scale"
    NO_CENTRATION = "octaudit:no-centration"
    PROTOCOL = "octaudit:protocol"
    UNCERTIFIED = "octaudit:uncertified"


class ScanState(StrEnum):
    """Where a scan stands on its way from intake to a final decision."""

    RECEIVED = "received"
    QUEUED = "queued"
    SCORING = "scoring"
    SCORED = "scored"
    FAILED = "failed"
    QUARANTINED = "quarantined"
    UNDER_REVIEW = "under_review"
    ACCEPTED = "accepted"
    QUERIED = "queried"
    REACQUISITION_REQUESTED = "reacquisition_requested"
    SUPERSEDED = "superseded"
    CLOSED_NOT_POSSIBLE = "closed_not_possible"


class FileState(StrEnum):
    """What intake decided about one file of a batch."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    HELD = "held"
    """Possible burned-in text: kept out of scoring until it is cropped or confirmed."""


class RequestState(StrEnum):
    """Where a reacquisition request stands."""

    REQUESTED = "requested"
    ACKNOWLEDGED = "acknowledged"
    SCHEDULED = "scheduled"
    RECEIVED = "received"
    REGRADED = "regraded"
    CLOSED = "closed"
    NOT_POSSIBLE = "not_possible"
    WITHDRAWN = "withdrawn"
    """The reviewer took the request back before anybody at the site had seen it (core.usecases.undo_review)."""


class StepKind(StrEnum):
    """What a step of a reacquisition request is."""

    MOVE = "move"
    """From one state to the next."""
    ASSIGN = "assign"
    """Another owner; the state stays."""
    UNLINK = "unlink"
    """A replacement was taken off it: the request stands as it stood before that came."""


class QueryAct(StrEnum):
    """What a message of a scan's thread does (core.usecases.follow_query)."""

    QUESTION = "question"
    ANSWER = "answer"
    REMARK = "remark"
    """Words that ask for nothing and change nothing."""
    RESOLVED = "resolved"
    REOPENED = "reopened"
    """The same question again, with what is still missing."""


class QuerySide(StrEnum):
    """For whom the author of a message speaks."""

    CENTRE = "centre"
    SITE = "site"


class ReviewDecision(StrEnum):
    """What a person decided about one scan."""

    ACCEPT = "accept"
    OVERRIDE = "override"
    REQUEST_REACQUISITION = "request_reacquisition"
    GRADE = "grade"
    """A masked grade that decides nothing by itself: double grading."""
    QUERY = "query"
    """A question to the site, which has the next move."""
    ANSWER = "answer"
    """The site's answer; it decides nothing and puts the scan back under review."""
    UNDO = "undo"
    """The reviewer's own last decision is taken back: the scan stands as it stood before it."""


class BulkState(StrEnum):
    """Where the acceptance of a whole list stands (core.usecases.accept_in_bulk)."""

    SAMPLING = "sampling"
    """A random sample is being looked at."""
    ACCEPTING = "accepting"
    """The whole sample was agreed to; the scans are being accepted."""
    DONE = "done"
    STOPPED = "stopped"
    """A scan of the sample was disagreed with, or the reviewer gave up; nothing was accepted."""


class SampleMark(StrEnum):
    """What the reviewer says of one scan of a bulk acceptance's sample."""

    AGREE = "agree"
    DISAGREE = "disagree"


class GradingState(StrEnum):
    """Where a scan stands that was drawn to be graded masked by several people (core.policy.grading_plan.MOVES)."""

    DRAWN = "drawn"
    """Waits until there are enough graders who may grade it."""
    ASSIGNED = "assigned"
    TO_ADJUDICATE = "to_adjudicate"
    """The graders differ, or the adjudicator checks what they agree on."""
    SETTLED = "settled"


class AssignmentState(StrEnum):
    """Where one grader's part in a grading stands."""

    OPEN = "open"
    DONE = "done"
    WITHDRAWN = "withdrawn"
    """The grader may no longer grade there; somebody else got the scan."""


class CheckCause(StrEnum):
    """Why a person checks a scan that the model accepted."""

    SAMPLE = "sample"
    """Drawn by the protocol's share."""
    CONSENSUS = "consensus"
    """Graders found it ungradable."""


class CheckState(StrEnum):
    """Where the check of an accepted scan stands."""

    OPEN = "open"
    CONFIRMED = "confirmed"
    """A person finds it gradable too."""
    OVERTURNED = "overturned"
    """A person finds it ungradable."""


class Role(StrEnum):
    """What a user may do, per study and site (docs/roles.md holds the table)."""

    SITE_TECHNICIAN = "site_technician"
    QC_TECHNICIAN = "qc_technician"
    GRADER = "grader"
    ADJUDICATOR = "adjudicator"
    MANAGER = "manager"
    ADMIN = "admin"


class BlobRole(StrEnum):
    """What a stored blob is to its scan or assessment."""

    IMAGE = "image"
    ARTIFACT_MASK = "artifact_mask"
    FAZ_MASK = "faz_mask"
    CAM = "cam"


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
    SCORE = "score"
    """Scored slabs by the model's probability of ungradable: detail ``superficial 3`` is 0.3 to below 0.4."""
    DEVICE_INDEX = "device_index"
    """Scored captures by the device's own quality index: detail ``SSI 65`` is 65 to below 70."""
    ABSTAINED = "abstained"
    """Scored slabs that the model abstained from: detail is the slab."""
    STRANGER = "stranger"
    """Scored slabs that look like no OCTA image: detail is the slab."""


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
    """Where a certificate stands (core.policy.certification.MOVES). The last two are not stored: they follow from its
    last day and from an open suspension of its holder."""

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


class ReEvaluationState(StrEnum):
    """Where a re-evaluation stands: judging stored scores by another protocol version."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    STOPPED = "stopped"
    """By a person, before its end; what was judged until then stays so."""


class Outcome(StrEnum):
    """What a re-evaluation does to one scan."""

    CHANGED = "changed"
    """Judged anew, with another verdict."""
    SAME = "same"
    """Judged anew, with the same verdict."""
    DECIDED = "decided"
    """Left alone: a person has decided or asked about it."""
    REQUESTED = "requested"
    """Left alone: its capture is to be taken again, or answers such a request."""
    ENDED = "ended"
    """Left alone: superseded or closed."""
    UNREADABLE = "unreadable"
    """Left alone: what judging needs is not there any more."""


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
    """Accept or override a scan, ask the site for a new one or a question."""
    WRITE_WORK = "write:work"
    """What a site does about a request or a question: acknowledge, schedule, not possible, answer."""


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


class SchedulePace(StrEnum):
    """How often a schedule asks for its report."""

    WEEK = "week"
    MONTH = "month"


class ScheduleState(StrEnum):
    """Where a schedule stands; an ended one stays as a record."""

    RUNNING = "running"
    PAUSED = "paused"
    ENDED = "ended"

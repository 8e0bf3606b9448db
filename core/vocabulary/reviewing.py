"""What becomes of a scan, and what people decide about it: states, reviews, requests, questions, gradings."""

from enum import StrEnum


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


class GradeSource(StrEnum):
    """Whose grade counts for a scan."""

    MODEL = "model"
    """Scored, and no person graded it."""
    PERSON = "person"
    """A person graded it in a deciding review."""


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


class RescoredState(StrEnum):
    """Where one scan of a rescoring stands."""

    WAITING = "waiting"
    SCORING = "scoring"
    SCORED = "scored"
    FAILED = "failed"


class AdoptionOutcome(StrEnum):
    """What adopting another model's scores does to one scan."""

    CHANGED = "changed"
    """They count now, with another verdict."""
    SAME = "same"
    """They count now, with the same verdict."""
    DECIDED = "decided"
    """Left alone: a person has decided or asked about it."""
    REQUESTED = "requested"
    """Left alone: its capture is to be taken again, or answers such a request."""
    ENDED = "ended"
    """Left alone: superseded, closed, or not scored at present."""
    OUTDATED = "outdated"
    """Left alone: judged by another protocol version since it was scored again."""


class BlobRole(StrEnum):
    """What a stored blob is to its scan or assessment."""

    IMAGE = "image"
    ARTIFACT_MASK = "artifact_mask"
    FAZ_MASK = "faz_mask"
    CAM = "cam"

"""Compares a batch's rows with each other and with what the site has sent before: duplicates, captures, replacements.

Pure: values in, problems out. What another site has sent plays no part here and is never revealed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from core.intake.manifest import Entry, quoted
from core.intake.problems import Problem
from core.policy.scan_types import scan_type
from core.store.capture import AwaitedReplacement, CaptureKey, ReceivedCapture, ReceivedImage
from core.usecases.reacquire import MOVES
from core.vocabulary import RequestState, Slab

OPEN_STATES = frozenset(state for state, following in MOVES.items() if RequestState.RECEIVED in following)
"""States of a request in which a replacement may arrive."""

_SHARED_COLUMNS = (
    "acquired_at", "kind", "device", "technician", "software_version", "field_width_mm", "field_height_mm",
    "device_quality_name", "device_quality_value", "axial_length_mm", "replaces",
)  # fmt: skip
"""What the slabs of one capture cannot differ in."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One readable file of a batch with its checked row."""

    file_id: int
    name: str
    image_sha256: str
    entry: Entry

    @property
    def key(self) -> CaptureKey:
        """The capture that the file is a slab of."""
        entry = self.entry
        type_ = scan_type(entry.kind, entry.field_width_mm, entry.field_height_mm)
        return CaptureKey(entry.subject, entry.visit, entry.eye, type_, entry.acquisition)

    @property
    def slab(self) -> Slab:
        """The slab; kinds that have none count as unknown."""
        return self.entry.slab or Slab.UNKNOWN


@dataclass(frozen=True, slots=True)
class Received:
    """What the site has sent before, as far as a batch touches it."""

    images: Mapping[str, ReceivedImage] = field(default_factory=dict)
    captures: Mapping[CaptureKey, ReceivedCapture] = field(default_factory=dict)
    awaited: Sequence[AwaitedReplacement] = ()


def match_problems(candidates: Sequence[Candidate], received: Received) -> dict[int, tuple[Problem, ...]]:
    """Problems per file id. The first of two files that exclude each other is taken, the later one is refused."""
    images: dict[str, Candidate] = {}
    slabs: dict[tuple[CaptureKey, Slab], Candidate] = {}
    captures: dict[CaptureKey, Candidate] = {}
    found: dict[int, tuple[Problem, ...]] = {}
    for candidate in candidates:
        problems = (
            *_image_problems(candidate, images, received),
            *_slab_problems(candidate, slabs, received),
            *_capture_problems(candidate, captures, received),
            *_request_problems(candidate, received),
        )
        found[candidate.file_id] = problems
        if not any(problem.is_blocking for problem in problems):
            images[candidate.image_sha256] = candidate
            slabs[candidate.key, candidate.slab] = candidate
            captures.setdefault(candidate.key, candidate)
    return found


def find_awaited(candidate: Candidate, received: Received) -> AwaitedReplacement | None:
    """The request that this capture answers: the one its row names, else the one that waits for just such a capture.

    Same subject, visit, eye and type, taken after the capture that it replaces; of several rounds the newest.
    """
    if candidate.entry.replaces is not None:
        named = (request for request in received.awaited if request.request_id == candidate.entry.replaces)
        return next(named, None)
    fitting = [request for request in received.awaited if _awaits(request, candidate)]
    return max(fitting, key=lambda request: request.request_id, default=None)


def find_also_awaited(
    candidate: Candidate, received: Received, answered: AwaitedReplacement
) -> tuple[AwaitedReplacement, ...]:
    """The other requests that wait for just such a capture and have no answer yet: one good scan settles them all."""
    return tuple(
        request
        for request in received.awaited
        if request.request_id != answered.request_id and request.replacement_id is None and _awaits(request, candidate)
    )


def _awaits(request: AwaitedReplacement, candidate: Candidate) -> bool:
    return (
        request.state in OPEN_STATES
        and _is_same_slot(request, candidate.key)
        and candidate.entry.acquired_at > request.acquired_at
    )


def _is_same_slot(request: AwaitedReplacement, key: CaptureKey) -> bool:
    return (request.subject, request.visit, request.laterality, request.scan_type) == (
        key.subject,
        key.visit,
        key.laterality,
        key.scan_type,
    )


def _image_problems(candidate: Candidate, images: Mapping[str, Candidate], received: Received) -> tuple[Problem, ...]:
    if candidate.image_sha256 in images:
        first = images[candidate.image_sha256]
        return (
            Problem(
                "duplicate_in_batch",
                f"The image is the same as that of {first.name}.",
                "Send each scan once; if they should differ, export this one again.",
            ),
        )
    before = received.images.get(candidate.image_sha256)
    if before is None:
        return ()
    return (
        Problem(
            "duplicate",
            f"The image was received before: scan {before.scan_id}, subject {before.subject}, visit {before.visit}, "
            f"{before.laterality}, {before.slab}.",
            "Nothing to do if it is that scan; if it should be another one, export it again.",
        ),
    )


def _slab_problems(
    candidate: Candidate, slabs: Mapping[tuple[CaptureKey, Slab], Candidate], received: Received
) -> tuple[Problem, ...]:
    remedy = f"If it is another capture, give it another name in {quoted('acquisition')}; else correct the slab."
    twin = slabs.get((candidate.key, candidate.slab))
    if twin is not None:
        message = f"{twin.name} is already the {candidate.slab} slab of this capture."
        return (Problem("slab_twice", message, remedy, field="slab"),)
    before = received.captures.get(candidate.key)
    if before is not None and candidate.slab in before.slabs:
        message = f"The {candidate.slab} slab of capture {candidate.key.code} was received before."
        return (Problem("slab_received_before", message, remedy, field="slab"),)
    return ()


def _capture_problems(
    candidate: Candidate, captures: Mapping[CaptureKey, Candidate], received: Received
) -> tuple[Problem, ...]:
    remedy = (
        f"Slabs of one capture share these values. Correct the row, or give another name in {quoted('acquisition')}."
    )
    first = captures.get(candidate.key)
    if first is not None:
        return tuple(
            Problem(
                "capture_differs",
                f"{quoted(column)} differs from that of {first.name}, another slab of the capture.",
                remedy,
                column,
            )
            for column in _SHARED_COLUMNS
            if getattr(first.entry, column) != getattr(candidate.entry, column)
        )
    before = received.captures.get(candidate.key)
    if before is None:
        return ()
    now = {"acquired_at": candidate.entry.acquired_at, "device": candidate.entry.device}
    then = {"acquired_at": before.acquired_at, "device": before.device}
    return tuple(
        Problem("capture_differs", f"{quoted(column)} differs from that of the slabs received before.", remedy, column)
        for column in now
        if now[column] != then[column]
    )


def _request_problems(candidate: Candidate, received: Received) -> tuple[Problem, ...]:
    if candidate.entry.replaces is None:
        return ()
    request = find_awaited(candidate, received)
    fault = _request_fault(candidate, request, received)
    if fault is None:
        return ()
    code, message = fault
    return (
        Problem(
            code, message, f"Enter the number shown in your worklist, or leave {quoted('replaces')} empty.", "replaces"
        ),
    )


def _request_fault(
    candidate: Candidate, request: AwaitedReplacement | None, received: Received
) -> tuple[str, str] | None:
    """Code and message of what keeps a row from answering the request that it names."""
    number = candidate.entry.replaces
    if request is None:
        return "request_unknown", f"There is no request {number} at this site."
    if not _is_same_slot(request, candidate.key):
        expected = f"subject {request.subject}, visit {request.visit}, {request.laterality}, {request.scan_type}"
        return "request_of_another_scan", f"Request {number} waits for {expected}."
    before = received.captures.get(candidate.key)
    if before is not None and before.id == request.replacement_id:
        return None  # another slab of the very capture that answered the request
    if request.state not in OPEN_STATES:
        state = request.state.replace("_", " ")
        return "request_answered", f"Request {number} waits for no capture: it is {state}."
    if candidate.entry.acquired_at <= request.acquired_at:
        return "replacement_not_newer", "The replacement was not taken after the scan that it replaces."
    return None

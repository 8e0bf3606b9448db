"""What a file's name suggests about its scan: offered in the table to be confirmed, never believed."""

import re
from pathlib import PurePosixPath

from core.intake.problems import Problem
from core.vocabulary import Laterality, ScanKind, Slab

_SPLIT = re.compile(r"[^a-z0-9.]+|(?<=[a-z])(?=\d)")
_EYES = {"od": Laterality.OD, "right": Laterality.OD, "os": Laterality.OS, "left": Laterality.OS}
_SLABS = {
    "superficial": Slab.SUPERFICIAL, "svp": Slab.SUPERFICIAL, "svc": Slab.SUPERFICIAL, "scp": Slab.SUPERFICIAL,
    "deep": Slab.DEEP, "dcp": Slab.DEEP, "dvc": Slab.DEEP, "choriocapillaris": Slab.CHORIOCAPILLARIS,
    "cc": Slab.CHORIOCAPILLARIS,
}  # fmt: skip
_FIELD = re.compile(r"(?<![\d.])(\d{1,2}(?:\.\d)?)\s?(?:mm)?x(\d{1,2}(?:\.\d)?)(?:mm)?(?![\d.])")


def hinted_entry(name: str) -> dict[str, str]:
    """Manifest values that the file's name suggests; only unambiguous ones."""
    stem = PurePosixPath(name.replace("\\", "/")).stem.lower()
    words = [word for word in _SPLIT.split(stem) if word]
    values = {"kind": ScanKind.OCTA_ENFACE.value}
    eye = hinted_eye(name)
    if eye is not None:
        values["eye"] = eye.value
    slabs = {_SLABS[word] for word in words if word in _SLABS}
    if len(slabs) == 1:
        values["slab"] = slabs.pop().value
    fields = set(_FIELD.findall(stem))
    if len(fields) == 1:
        values["field_width_mm"], values["field_height_mm"] = fields.pop()
    return values


def hinted_eye(name: str) -> Laterality | None:
    """The eye that the file's name states, or None where it states none or both. A lone R or L may be an initial."""
    stem = PurePosixPath(name.replace("\\", "/")).stem.lower()
    eyes = {_EYES[word] for word in _SPLIT.split(stem) if word in _EYES}
    return eyes.pop() if len(eyes) == 1 else None


def eye_conflict(name: str, eye: Laterality) -> tuple[Problem, ...]:
    """A note where the file's name states the other eye."""
    hinted = hinted_eye(name)
    if hinted is None or hinted is eye:
        return ()
    return (
        Problem(
            "eye_differs_from_name",
            f"The table says {eye}, but the file's name says {hinted}.",
            "Check on the device which eye it is; correct the table if the name is right.",
            field="eye",
            is_blocking=False,
        ),
    )

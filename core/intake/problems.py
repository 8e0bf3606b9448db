"""What intake finds wrong with a file or its manifest row, as data: bad input never raises past intake."""

from dataclasses import asdict, dataclass
from typing import Any

from core.errors import UnreadableScanError


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault: a stable code for programs, a sentence for people, and the cure.

    Attributes
    ----------
    field : str or None
        The manifest column it concerns; None where it concerns the file itself.
    is_blocking : bool
        False marks a note: the scan is taken, but the uploader should know.
    """

    code: str
    message: str
    remedy: str
    field: str | None = None
    is_blocking: bool = True

    @classmethod
    def of(cls, error: UnreadableScanError) -> "Problem":
        """The problem that an unreadable file amounts to."""
        return cls(error.code, error.message, error.remedy)

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> "Problem":
        """The problem stored by ``as_document``; unknown keys of a later release are left out."""
        names = ("code", "message", "remedy", "field", "is_blocking")
        return cls(**{name: document[name] for name in names if name in document})

    def as_document(self) -> dict[str, Any]:
        """The problem as JSON for ``batch_file.problems`` and the upload API."""
        return asdict(self)


def blocking(problems: tuple[Problem, ...]) -> tuple[Problem, ...]:
    """The problems that keep a file from being taken, in their order."""
    return tuple(problem for problem in problems if problem.is_blocking)

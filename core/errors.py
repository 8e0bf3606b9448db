"""Every error octaudit raises on purpose, one tree.

- OctauditError: has a message that says what was wrong and a remedy that says what to do
  - UsageError: the caller asked for something that cannot be (exit 2)
  - SettingsError: a setting is missing or contradictory (exit 2)
  - NotAllowedError: the user's role, site or own work forbids it
  - NotFoundError: no such record, or none that this user may see
  - IllegalMoveError: a state machine refused a step
  - StaleRecordError: somebody else changed the record first
  - UnreadableScanError: one file is no scan we can read; never stops the others
  - ScoringError: the model could not score one scan
  - NotDeliveredError: an alert did not reach its receiver
  - ServerError: an embedded server did not start or stop
  - SomeFailedError: some inputs of a command failed, the others are done (exit 3)
"""

from enum import IntEnum
from typing import ClassVar


class ExitCode(IntEnum):
    """What `octaudit` commands exit with."""

    DONE = 0
    OUR_FAULT = 1
    WRONG_USAGE = 2
    SOME_FAILED = 3


class OctauditError(Exception):
    """Base of all. ``message`` is one sentence for the reader; ``remedy`` is what to do about it."""

    exit_code: ClassVar[ExitCode] = ExitCode.OUR_FAULT

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        """The message and, where there is one, the remedy."""
        return f"{self.message} {self.remedy}".strip()


class UsageError(OctauditError):
    """The caller asked for something that cannot be."""

    exit_code = ExitCode.WRONG_USAGE


class SettingsError(OctauditError):
    """A setting is missing or contradictory."""

    exit_code = ExitCode.WRONG_USAGE


class NotAllowedError(OctauditError):
    """The user's role, site or own work forbids it."""

    exit_code = ExitCode.WRONG_USAGE


class NotFoundError(OctauditError):
    """No such record, or none that this user may see."""

    exit_code = ExitCode.WRONG_USAGE


class IllegalMoveError(OctauditError):
    """A state machine refused a step."""

    exit_code = ExitCode.WRONG_USAGE


class StaleRecordError(OctauditError):
    """Somebody else changed the record first; nothing was written."""


class UnreadableScanError(OctauditError):
    """One file is no scan we can read. ``code`` is stable for programs, the message is for people."""

    exit_code = ExitCode.WRONG_USAGE

    def __init__(self, code: str, message: str, *, remedy: str) -> None:
        super().__init__(message, remedy=remedy)
        self.code = code


class ScoringError(OctauditError):
    """The model could not score one scan."""


class NotDeliveredError(OctauditError):
    """An alert did not reach its receiver; the message names no address. ``is_final``: trying again cannot help."""

    def __init__(self, message: str, *, remedy: str = "", is_final: bool = False) -> None:
        super().__init__(message, remedy=remedy)
        self.is_final = is_final


class ServerError(OctauditError):
    """An embedded server did not start or stop."""


class SomeFailedError(OctauditError):
    """Some inputs of a command failed; what could be done is done."""

    exit_code = ExitCode.SOME_FAILED


class StorageError(OctauditError):
    """A stored file is missing, damaged or cannot be written."""

"""Where a training stands, for a progress bar."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Progress:
    """A stage, its steps, and what to say beside the bar."""

    stage: str
    done: int
    total: int
    caption: str = ""

"""Rounds of masks to draw next, their scans, and what became of masks that were sent in."""

from datetime import datetime

from pydantic import Field

from core.store.mask import RoundRow, WantedScan
from core.usecases.exchange_masks import TakenMask
from core.vocabulary import ScanKind
from dashboard.api.documents.base import Document, Id
from dashboard.api.documents.uploads import ProblemDocument


class RoundRequest(Document):
    """Whose scans should be looked through."""

    study: Id
    kind: ScanKind


class RoundDocument(Document):
    """One choice of scans whose masks should be drawn next."""

    id: int
    study: int
    kind: ScanKind
    step: int = Field(
        description="1: a first set by image indices; 2: scans on which two levels of a network disagree."
    )
    created_by: str
    created_at: datetime
    n_wanted: int
    n_drawn: int = Field(description="Masks that have come back.")

    @classmethod
    def of(cls, row: RoundRow) -> "RoundDocument":
        """The document of a round."""
        return cls(
            id=row.id, study=row.study_id, kind=row.kind, step=row.step, created_by=row.created_by,
            created_at=row.created_at, n_wanted=row.n_wanted, n_drawn=row.n_drawn,
        )  # fmt: skip


class WantedDocument(Document):
    """One scan of a round."""

    scan: int
    bscan: int | None = Field(description="Which B-scan of a volume, from 1; null: the scan's own image.")
    rank: int = Field(description="From 1, the most wanted first.")
    q: float | None = Field(description="Level agreement, 0..1; null in a first set.")
    site: str
    device: str
    file: str = Field(description="What its image and its mask are called in the export.")
    is_drawn: bool

    @classmethod
    def of(cls, scan: WantedScan) -> "WantedDocument":
        """The document of a wanted scan."""
        return cls(
            scan=scan.scan_id, bscan=None if scan.bscan_index is None else scan.bscan_index + 1, rank=scan.rank,
            q=scan.q, site=scan.site_code, device=scan.device_code, file=scan.name,
            is_drawn=scan.mask_sha256 is not None,
        )  # fmt: skip


class WholeRoundDocument(RoundDocument):
    """A round with its scans."""

    scans: list[WantedDocument]


class TakenDocument(Document):
    """What became of one file."""

    name: str
    scan: int | None = Field(description="Whose mask it is; null: it was not taken.")
    problems: list[ProblemDocument]

    @classmethod
    def of(cls, taken: TakenMask) -> "TakenDocument":
        """The document of a file that was sent in."""
        return cls(
            name=taken.name, scan=taken.scan_id, problems=[ProblemDocument.of(problem) for problem in taken.problems]
        )


class TakenMasksDocument(Document):
    """What one upload became: a mask, or all masks of a zip."""

    files: list[TakenDocument]
    manifests: list[str] = Field(default=[], description="Always empty: a zip's manifest is not read on the way back.")

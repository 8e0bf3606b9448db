"""Batches, files, receipts: what the routes of uploads take and give."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import AliasPath, Field, FiniteFloat

from core.intake.burned_in_text import Region
from core.intake.problems import Problem
from core.store.batch import BatchLine
from core.usecases.check_batch import BatchCheck, FileCheck
from core.usecases.stage_files import ManifestOutcome, StagedFile
from core.usecases.submit_batch import Receipt, ReceiptLine
from core.vocabulary import FileState
from dashboard.api.documents.base import Body, Code, Document, Text

_Pixels = Annotated[int, Field(ge=0, le=100_000)]
Reason = Annotated[Text, Field(max_length=500)]
Cell = Annotated[str, Field(max_length=1000, pattern=r"^[^\x00]*$")] | FiniteFloat | None
"""What one cell of a draft's table may hold."""
ColumnName = Annotated[str, Field(max_length=100, pattern=r"^[^\x00]*$")]


class BatchRequest(Body):
    """For which site a batch is, by the codes of study and site."""

    study: Code
    site: Code


class RegionDocument(Body):
    """A box in pixels of the image, right and bottom exclusive."""

    left: _Pixels
    top: _Pixels
    right: _Pixels
    bottom: _Pixels

    def as_region(self) -> Region:
        """The box as intake knows it."""
        return Region(self.left, self.top, self.right, self.bottom)


class ReleaseRequest(Body):
    """Why a held file may go on, and what is cut away or painted over before."""

    reason: Reason
    crop: RegionDocument | None = None
    blacken: list[RegionDocument] = Field(default_factory=list, max_length=50)


class DiscardRequest(Body):
    """Why a held file is rejected."""

    reason: Reason = ""


class ProblemDocument(Document):
    """One fault or note: stable code, sentence, cure, and the manifest column it concerns."""

    code: str
    message: str
    remedy: str
    field: str | None
    is_blocking: bool

    @classmethod
    def of(cls, problem: Problem) -> "ProblemDocument":
        """The document of a problem."""
        return cls(**problem.as_document())


class FileDocument(Document):
    """One file: in a draft ``outcome`` is what would become of it, after submission what did."""

    id: int
    name: str
    size_bytes: int | None
    outcome: str
    problems: list[ProblemDocument]
    entry: dict[str, Any]
    text_regions: list[dict[str, Any]]
    scan_id: int | None
    scan_state: str | None

    @classmethod
    def of_check(cls, check: FileCheck) -> "FileDocument":
        """The document of a draft's file."""
        file = check.file
        return cls(
            id=file.id,
            name=file.name,
            size_bytes=file.size_bytes,
            outcome=(file.state or check.outcome).value,
            problems=[ProblemDocument.of(problem) for problem in check.problems],
            entry=file.entry,
            text_regions=list(file.text_regions),
            scan_id=file.scan_id,
            scan_state=file.scan_state.value if file.scan_state else None,
        )


class BatchDocument(Document):
    """A batch with its files."""

    id: int
    receipt: str
    study: str
    site: str
    created_at: datetime
    submitted_at: datetime | None
    files: list[FileDocument]

    @classmethod
    def of(cls, check: BatchCheck) -> "BatchDocument":
        """The document of a checked batch."""
        head = check.head
        return cls(
            id=head.id,
            receipt=head.receipt,
            study=head.site.study,
            site=head.site.site,
            created_at=head.created_at,
            submitted_at=head.submitted_at,
            files=[FileDocument.of_check(file) for file in check.files],
        )


class StagedDocument(Document):
    """One file that was taken into a draft, with the problems of the file itself."""

    id: int
    name: str
    problems: list[ProblemDocument]

    @classmethod
    def of(cls, staged: StagedFile) -> "StagedDocument":
        """The document of a staged file."""
        return cls(
            id=staged.file_id, name=staged.name, problems=[ProblemDocument.of(problem) for problem in staged.problems]
        )


class ManifestDocument(Document):
    """What became of a manifest."""

    matched: int
    problems: list[ProblemDocument]

    @classmethod
    def of(cls, outcome: ManifestOutcome) -> "ManifestDocument":
        """The document of a manifest's outcome."""
        return cls(matched=outcome.matched, problems=[ProblemDocument.of(problem) for problem in outcome.problems])


class UploadDocument(Document):
    """What one upload became: a file, or all members of a zip, and the manifests among them."""

    files: list[StagedDocument]
    manifests: list[ManifestDocument]


class ReceiptLineDocument(Document):
    """What became of one file of a submitted batch."""

    file_id: int
    name: str
    state: str
    problems: list[ProblemDocument]
    scan_id: int | None
    scan_state: str | None

    @classmethod
    def of(cls, line: ReceiptLine) -> "ReceiptLineDocument":
        """The document of a receipt's line."""
        return cls(
            file_id=line.file_id,
            name=line.name,
            state=line.state.value,
            problems=[ProblemDocument.of(problem) for problem in line.problems],
            scan_id=line.scan_id,
            scan_state=line.scan_state.value if line.scan_state else None,
        )


class ReceiptDocument(Document):
    """The receipt of a submitted batch."""

    receipt: str
    batch_id: int
    study: str
    site: str
    submitted_at: datetime
    files: list[ReceiptLineDocument]

    @classmethod
    def of(cls, receipt: Receipt) -> "ReceiptDocument":
        """The document of a receipt."""
        return cls(
            receipt=receipt.code,
            batch_id=receipt.batch_id,
            study=receipt.study,
            site=receipt.site,
            submitted_at=receipt.submitted_at,
            files=[ReceiptLineDocument.of(line) for line in receipt.lines],
        )


class BatchLineDocument(Document):
    """One line of the list of batches: how many files it brought and what became of them."""

    id: int = Field(validation_alias=AliasPath("head", "id"))
    receipt: str = Field(validation_alias=AliasPath("head", "receipt"))
    study: str = Field(validation_alias=AliasPath("head", "site", "study"))
    site: str = Field(validation_alias=AliasPath("head", "site", "site"))
    created_at: datetime = Field(validation_alias=AliasPath("head", "created_at"))
    submitted_at: datetime | None = Field(
        validation_alias=AliasPath("head", "submitted_at"), description="Null: a draft."
    )
    uploaded_by: str
    n_files: int = Field(validation_alias="files")
    n_accepted: int = Field(validation_alias="accepted")
    n_rejected: int = Field(validation_alias="rejected")
    n_held: int = Field(validation_alias="held", description="Kept out of scoring: possible burned-in text.")
    n_waiting: int = Field(validation_alias="waiting", description="Scans that are not scored yet.")
    n_scored: int = Field(validation_alias="scored")

    @classmethod
    def of(cls, line: BatchLine) -> "BatchLineDocument":
        """The document of a line."""
        return cls.model_validate(line)


class SessionDocument(Document):
    """Who calls, and the token that changing requests of a person's session carry in X-Octaudit-CSRF."""

    name: str
    csrf_token: str | None = Field(description="Null for a program: its token needs no other.")
    client: str | None = Field(description="The program's name; null for a person.")
    scopes: list[str] = Field(description="What the program's token may do; empty for a person, whom none narrows.")


class HeldDocument(Document):
    """What became of a held file."""

    state: FileState

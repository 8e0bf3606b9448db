"""What was captured and stored: batch, its files, acquisition, scan and blob."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, Float, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from core.database.tables.base import Base, Created, Id, Sha256, SiteScoped


class Blob(Created, Base):
    """A stored file, named by the sha256 of its bytes. Global: it carries no site, names no one."""

    __tablename__ = "blob"

    sha256: Mapped[Sha256] = mapped_column(primary_key=True)
    size_bytes: Mapped[int]
    media_type: Mapped[str]


class Batch(SiteScoped, Created, Base):
    """One submission by one person for one site; ``receipt`` is what the uploader keeps."""

    __tablename__ = "batch"

    id: Mapped[Id]
    receipt: Mapped[str] = mapped_column(unique=True)
    uploaded_by_id: Mapped[int | None] = mapped_column(ForeignKey("app_user.id"), index=True)
    """None: the command line or the demo."""
    submitted_at: Mapped[datetime | None]
    """None while the files are staged and the table is being filled in."""


class BatchFile(SiteScoped, Created, Base):
    """One file of a batch, with what intake said of it. The only place that keeps the original name."""

    __tablename__ = "batch_file"
    __table_args__ = (Index("ix_batch_file_batch_id_id", "batch_id", "id"),)

    id: Mapped[Id]
    batch_id: Mapped[int] = mapped_column(ForeignKey("batch.id"), index=True)
    original_name: Mapped[str]
    size_bytes: Mapped[int]
    source_sha256: Mapped[Sha256 | None]
    image_sha256: Mapped[Sha256 | None]
    """The cleaned image (pixels only), where the file could be read; of a volume its central B-scan."""
    volume_sha256: Mapped[Sha256 | None]
    """Of a volume: all of it, cleaned."""
    width_px: Mapped[int | None]
    height_px: Mapped[int | None]
    text_regions: Mapped[list[dict[str, Any]]] = mapped_column(default=list, server_default=text("'[]'::jsonb"))
    """[{left, top, right, bottom}] in pixels: where lettering may be burned in. Emptied when a person released it."""
    state: Mapped[str | None]
    """FileState once submitted; None while staged."""
    entry: Mapped[dict[str, Any]]
    """The manifest row as filled in so far (core.intake.manifest)."""
    problems: Mapped[list[dict[str, Any]]]
    """[{code, message, remedy}] in the order found; empty means none."""
    scan_id: Mapped[int | None] = mapped_column(ForeignKey("scan.id"), index=True)


def _probe(column: str, *covered: str) -> Index:
    """An index by time that holds all that is asked of a group's latest captures, so that no row is read for it.

    The policy of row-level security asks for ``site_id`` and ``id``, and must be answered by the index, too.
    """
    return Index(f"ix_acquisition_{column}_acquired_at", column, "acquired_at", postgresql_include=covered)


class Acquisition(Created, Base):
    """One capture of one eye; its slabs and B-scans are scans of it. The unit of every rate."""

    __tablename__ = "acquisition"
    __table_args__ = (
        UniqueConstraint("expected_scan_id", "code"),
        _probe("site_id", "id", "subject_id", "is_phantom"),
        _probe("device_id", "id", "site_id", "subject_id", "is_phantom", "scan_type", "software_version"),
        _probe("technician_id", "id", "site_id", "subject_id", "is_phantom"),
        Index(
            "ix_acquisition_case",  # all that core.store.case_mix asks, and of nothing else
            "site_id",
            "acquired_at",
            postgresql_include=[
                "id",
                "visit_id",
                "device_id",
                "technician_id",
                "software_version",
                "scan_type",
                "age_years",
                "diagnosis",
                "is_counted_gradable",
            ],
            postgresql_where=text("is_counted_decided and replaces_id is null and is_phantom is false"),
        ),
        CheckConstraint("laterality in ('OD', 'OS')", name="laterality"),
    )

    id: Mapped[Id]
    site_id: Mapped[int] = mapped_column(ForeignKey("site.id"))
    """Row-level security reads it; the index by site and time serves what asks by site."""
    code: Mapped[str]
    subject_id: Mapped[int] = mapped_column(ForeignKey("subject.id"), index=True)
    visit_id: Mapped[int] = mapped_column(ForeignKey("visit.id"), index=True)
    expected_scan_id: Mapped[int] = mapped_column(ForeignKey("expected_scan.id"))
    device_id: Mapped[int] = mapped_column(ForeignKey("device.id"))
    technician_id: Mapped[int | None] = mapped_column(ForeignKey("technician.id"))
    laterality: Mapped[str]
    kind: Mapped[str]
    scan_type: Mapped[str]
    acquired_at: Mapped[datetime]
    software_version: Mapped[str] = mapped_column(default="", server_default="")
    field_width_mm: Mapped[float | None] = mapped_column(Float)
    field_height_mm: Mapped[float | None] = mapped_column(Float)
    scale_source: Mapped[str | None]
    device_quality_name: Mapped[str | None]
    device_quality_value: Mapped[float | None] = mapped_column(Float)
    axial_length_mm: Mapped[float | None] = mapped_column(Float)
    age_years: Mapped[float | None] = mapped_column(Float)
    diagnosis: Mapped[str | None]
    replaces_id: Mapped[int | None] = mapped_column(ForeignKey("acquisition.id"), index=True)
    """The acquisition this one was taken again for; such are outside the first-pass rate."""
    is_phantom: Mapped[bool] = mapped_column(default=False, server_default="false")
    """Device-test phantoms, outside every rate. (The demo's simulated patients are not marked so.)"""
    is_counted_received: Mapped[bool] = mapped_column(default=False, server_default="false")
    is_counted_decided: Mapped[bool] = mapped_column(default=False, server_default="false")
    is_counted_gradable: Mapped[bool] = mapped_column(default=False, server_default="false")
    """What of this acquisition the counts already hold (core.store.rate); deltas are differences to these."""
    counted_findings: Mapped[list[str]] = mapped_column(default=list, server_default=text("'[]'::jsonb"))
    """Which findings of it the counts hold (core.store.finding)."""
    deviations: Mapped[list[str]] = mapped_column(default=list, server_default=text("'[]'::jsonb"))
    """In what it is not as the protocol in force said (core.policy.deviation), judged once, when it was received."""


class Scan(Created, Base):
    """One image of an acquisition (one slab, one B-scan), its state and its place in the queue."""

    __tablename__ = "scan"
    __table_args__ = (
        UniqueConstraint("site_id", "image_sha256"),
        UniqueConstraint("acquisition_id", "slab"),
        Index("ix_scan_queue", "kind", "id", postgresql_where=text("state in ('queued', 'scoring')")),
        Index(
            "ix_scan_open", "site_id", "state",
            postgresql_where=text("state not in ('accepted', 'superseded', 'closed_not_possible')"),
        ),
        Index("ix_scan_site_id_id", "site_id", "id"),
        Index("ix_scan_image_sha256_site_id", "image_sha256", "site_id", "id"),
    )  # fmt: skip

    id: Mapped[Id]
    site_id: Mapped[int] = mapped_column(ForeignKey("site.id"))
    """Row-level security reads it. No index of its own: with one the planner prefers that and sorts a site's scans."""
    acquisition_id: Mapped[int] = mapped_column(ForeignKey("acquisition.id"))
    batch_id: Mapped[int] = mapped_column(ForeignKey("batch.id"), index=True)
    kind: Mapped[str]
    """ScanKind: also the name of the scoring lane."""
    slab: Mapped[str]
    image_sha256: Mapped[Sha256] = mapped_column(ForeignKey("blob.sha256"))
    """What is shown of it in lists, and found again by; of a volume its central B-scan."""
    volume_sha256: Mapped[Sha256 | None] = mapped_column(ForeignKey("blob.sha256"), index=True)
    """Of a volume: the blob that holds all of it (core.intake.volume_blob)."""
    width_px: Mapped[int]
    height_px: Mapped[int]
    state: Mapped[str]
    version: Mapped[int] = mapped_column(default=1, server_default="1")
    """Raised by every decision; a reviewer who saw an older one is refused (StaleRecordError)."""
    assessment_id: Mapped[int | None] = mapped_column(
        ForeignKey("assessment.id", use_alter=True, name="fk_scan_assessment_id_assessment")
    )
    """The assessment that counts; None until scored."""
    human_ordinal: Mapped[int | None]
    """The grade a person gave in a deciding review; outranks the model's everywhere."""
    final_verdict: Mapped[str | None]
    """Verdict after people had their say; None until scored."""
    attempts: Mapped[int] = mapped_column(default=0, server_default="0")
    """Claims since it was queued, the present one included; a claim that was given back unscored counts as none."""
    worker_losses: Mapped[int] = mapped_column(default=0, server_default="0")
    """How many of these attempts ended with their worker; the others, but for the present one, were soft failures."""
    lease_expires_at: Mapped[datetime | None]
    leased_by: Mapped[str | None]
    not_before_at: Mapped[datetime | None]
    """Back-off after a soft failure: not claimed earlier."""
    failure: Mapped[str | None]
    """Why the last attempt failed, in words; kept for the operations page."""


class SharedImage(Created, Base):
    """An image of which two sites sent a scan; a trigger on scan writes it."""

    __tablename__ = "shared_image"

    image_sha256: Mapped[Sha256] = mapped_column(ForeignKey("blob.sha256"), primary_key=True)

"""The tables of schema v1. Who may see and change their rows stands in the next revision."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0001"
down_revision: str | None = None
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

TABLES = (
    "app_user",
    "blob",
    "model_version",
    "study",
    "protocol_version",
    "session",
    "site",
    "audit_event",
    "batch",
    "device",
    "site_grant",
    "subject",
    "technician",
    "annotation",
    "audit_seal",
    "rate",
    "rate_delta",
    "visit",
    "expected_scan",
    "acquisition",
    "scan",
    "assessment",
    "batch_file",
    "reacquisition_request",
    "assessment_artifact",
    "assessment_reason",
    "reacquisition_step",
    "review",
)
"""In the order in which they are made."""


class TransactionId(sa.types.UserDefinedType):
    """PostgreSQL's xid8."""

    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        """The column's type in DDL."""
        return "xid8"


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "app_user",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("display_name", sa.String(), nullable=False),
        sa.Column("password_hash", sa.String(), nullable=True),
        sa.Column("must_change_password", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("failed_logins", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("locked_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("disabled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_app_user")),
        sa.UniqueConstraint("name", name=op.f("uq_app_user_name")),
    )
    op.create_table(
        "blob",
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("media_type", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_blob")),
    )
    op.create_table(
        "model_version",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("weights_sha256", sa.String(length=64), nullable=False),
        sa.Column("preprocessing", sa.String(), nullable=False),
        sa.Column("card", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_model_version")),
        sa.UniqueConstraint(
            "name",
            "version",
            "weights_sha256",
            "preprocessing",
            name=op.f("uq_model_version_name_version_weights_sha256_preprocessing"),
        ),
    )
    op.create_table(
        "study",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("is_demo", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_study")),
        sa.UniqueConstraint("code", name=op.f("uq_study_code")),
    )
    op.create_table(
        "protocol_version",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("study_id", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("effective_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("note", sa.String(), server_default="", nullable=False),
        sa.Column("document", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["study_id"], ["study.id"], name=op.f("fk_protocol_version_study_id_study")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_protocol_version")),
        sa.UniqueConstraint("study_id", "number", name=op.f("uq_protocol_version_study_id_number")),
    )
    op.create_table(
        "session",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("token_sha256", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("idle_timeout", sa.Interval(), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["app_user.id"], name=op.f("fk_session_user_id_app_user")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_session")),
        sa.UniqueConstraint("token_sha256", name=op.f("uq_session_token_sha256")),
    )
    op.create_index("ix_session_user_id", "session", ["user_id"], unique=False)
    op.create_table(
        "site",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("study_id", sa.BigInteger(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("country", sa.String(), server_default="", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["study_id"], ["study.id"], name=op.f("fk_site_study_id_study")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_site")),
        sa.UniqueConstraint("study_id", "code", name=op.f("uq_site_study_id_code")),
    )
    op.create_index(op.f("ix_site_study_id"), "site", ["study_id"], unique=False)
    op.create_table(
        "audit_event",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("happened_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("transaction_id", TransactionId(), server_default=sa.text("pg_current_xact_id()"), nullable=False),
        sa.Column("actor_id", sa.BigInteger(), nullable=True),
        sa.Column("study_id", sa.BigInteger(), nullable=True),
        sa.Column("site_id", sa.BigInteger(), nullable=True),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("entity", sa.String(), nullable=False),
        sa.Column("entity_id", sa.BigInteger(), nullable=True),
        sa.Column("before", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("after", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("reason", sa.String(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(["actor_id"], ["app_user.id"], name=op.f("fk_audit_event_actor_id_app_user")),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_audit_event_site_id_site")),
        sa.ForeignKeyConstraint(["study_id"], ["study.id"], name=op.f("fk_audit_event_study_id_study")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_event")),
    )
    op.create_index("ix_audit_event_entity_entity_id", "audit_event", ["entity", "entity_id"], unique=False)
    op.create_index(op.f("ix_audit_event_site_id"), "audit_event", ["site_id"], unique=False)
    op.create_table(
        "batch",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("receipt", sa.String(), nullable=False),
        sa.Column("uploaded_by_id", sa.BigInteger(), nullable=True),
        sa.Column("submitted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("site_id", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_batch_site_id_site")),
        sa.ForeignKeyConstraint(["uploaded_by_id"], ["app_user.id"], name=op.f("fk_batch_uploaded_by_id_app_user")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_batch")),
        sa.UniqueConstraint("receipt", name=op.f("uq_batch_receipt")),
    )
    op.create_index(op.f("ix_batch_site_id"), "batch", ["site_id"], unique=False)
    op.create_index(op.f("ix_batch_uploaded_by_id"), "batch", ["uploaded_by_id"], unique=False)
    op.create_table(
        "device",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("manufacturer", sa.String(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("serial", sa.String(), nullable=False),
        sa.Column("software_version", sa.String(), server_default="", nullable=False),
        sa.Column("site_id", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_device_site_id_site")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_device")),
        sa.UniqueConstraint("site_id", "code", name=op.f("uq_device_site_id_code")),
        sa.UniqueConstraint("site_id", "serial", name=op.f("uq_device_site_id_serial")),
    )
    op.create_index(op.f("ix_device_site_id"), "device", ["site_id"], unique=False)
    op.create_table(
        "site_grant",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("study_id", sa.BigInteger(), nullable=True),
        sa.Column("site_id", sa.BigInteger(), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "role in ('site_technician', 'qc_technician', 'grader', 'adjudicator', 'manager', 'admin')",
            name=op.f("ck_site_grant_role"),
        ),
        sa.CheckConstraint(
            "study_id is not null or (role = 'admin' and site_id is null)", name=op.f("ck_site_grant_scope")
        ),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_site_grant_site_id_site")),
        sa.ForeignKeyConstraint(["study_id"], ["study.id"], name=op.f("fk_site_grant_study_id_study")),
        sa.ForeignKeyConstraint(["user_id"], ["app_user.id"], name=op.f("fk_site_grant_user_id_app_user")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_site_grant")),
    )
    op.create_index(op.f("ix_site_grant_user_id"), "site_grant", ["user_id"], unique=False)
    op.create_index(
        "uq_site_grant_live",
        "site_grant",
        ["user_id", "role", "study_id", "site_id"],
        unique=True,
        postgresql_nulls_not_distinct=True,
        postgresql_where=sa.text("revoked_at is null"),
    )
    op.create_table(
        "subject",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("site_id", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_subject_site_id_site")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subject")),
        sa.UniqueConstraint("site_id", "code", name=op.f("uq_subject_site_id_code")),
    )
    op.create_index(op.f("ix_subject_site_id"), "subject", ["site_id"], unique=False)
    op.create_table(
        "technician",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("name", sa.String(), server_default="", nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=True),
        sa.Column("site_id", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_technician_site_id_site")),
        sa.ForeignKeyConstraint(["user_id"], ["app_user.id"], name=op.f("fk_technician_user_id_app_user")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_technician")),
        sa.UniqueConstraint("site_id", "code", name=op.f("uq_technician_site_id_code")),
    )
    op.create_index(op.f("ix_technician_site_id"), "technician", ["site_id"], unique=False)
    op.create_table(
        "annotation",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("study_id", sa.BigInteger(), nullable=False),
        sa.Column("site_id", sa.BigInteger(), nullable=True),
        sa.Column("device_id", sa.BigInteger(), nullable=True),
        sa.Column("happened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["device_id"], ["device.id"], name=op.f("fk_annotation_device_id_device")),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_annotation_site_id_site")),
        sa.ForeignKeyConstraint(["study_id"], ["study.id"], name=op.f("fk_annotation_study_id_study")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_annotation")),
    )
    op.create_index("ix_annotation_study_id_happened_at", "annotation", ["study_id", "happened_at"], unique=False)
    op.create_table(
        "audit_seal",
        sa.Column("sequence", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("event_id", sa.BigInteger(), nullable=False),
        sa.Column("chain_hmac", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["event_id"], ["audit_event.id"], name=op.f("fk_audit_seal_event_id_audit_event")),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_audit_seal")),
        sa.UniqueConstraint("event_id", name=op.f("uq_audit_seal_event_id")),
    )
    op.create_table(
        "rate",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("site_id", sa.BigInteger(), nullable=False),
        sa.Column("device_id", sa.BigInteger(), nullable=False),
        sa.Column("technician_id", sa.BigInteger(), nullable=True),
        sa.Column("scan_type", sa.String(), nullable=False),
        sa.Column("week_on", sa.Date(), nullable=False),
        sa.Column("measure", sa.String(), nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["device_id"], ["device.id"], name=op.f("fk_rate_device_id_device")),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_rate_site_id_site")),
        sa.ForeignKeyConstraint(["technician_id"], ["technician.id"], name=op.f("fk_rate_technician_id_technician")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rate")),
    )
    op.create_index(
        "uq_rate_key",
        "rate",
        ["site_id", "device_id", "technician_id", "scan_type", "week_on", "measure"],
        unique=True,
        postgresql_nulls_not_distinct=True,
    )
    op.create_table(
        "rate_delta",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("site_id", sa.BigInteger(), nullable=False),
        sa.Column("device_id", sa.BigInteger(), nullable=False),
        sa.Column("technician_id", sa.BigInteger(), nullable=True),
        sa.Column("scan_type", sa.String(), nullable=False),
        sa.Column("week_on", sa.Date(), nullable=False),
        sa.Column("measure", sa.String(), nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["device_id"], ["device.id"], name=op.f("fk_rate_delta_device_id_device")),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_rate_delta_site_id_site")),
        sa.ForeignKeyConstraint(
            ["technician_id"], ["technician.id"], name=op.f("fk_rate_delta_technician_id_technician")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rate_delta")),
    )
    op.create_index(op.f("ix_rate_delta_site_id"), "rate_delta", ["site_id"], unique=False)
    op.create_table(
        "visit",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("subject_id", sa.BigInteger(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("window_ends_on", sa.Date(), nullable=True),
        sa.Column("site_id", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_visit_site_id_site")),
        sa.ForeignKeyConstraint(["subject_id"], ["subject.id"], name=op.f("fk_visit_subject_id_subject")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_visit")),
        sa.UniqueConstraint("subject_id", "code", name=op.f("uq_visit_subject_id_code")),
    )
    op.create_index(op.f("ix_visit_site_id"), "visit", ["site_id"], unique=False)
    op.create_table(
        "expected_scan",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("visit_id", sa.BigInteger(), nullable=False),
        sa.Column("laterality", sa.String(), nullable=False),
        sa.Column("scan_type", sa.String(), nullable=False),
        sa.Column("first_received_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("site_id", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_expected_scan_site_id_site")),
        sa.ForeignKeyConstraint(["visit_id"], ["visit.id"], name=op.f("fk_expected_scan_visit_id_visit")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_expected_scan")),
        sa.UniqueConstraint(
            "visit_id", "laterality", "scan_type", name=op.f("uq_expected_scan_visit_id_laterality_scan_type")
        ),
    )
    op.create_index(op.f("ix_expected_scan_site_id"), "expected_scan", ["site_id"], unique=False)
    op.create_table(
        "acquisition",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("subject_id", sa.BigInteger(), nullable=False),
        sa.Column("visit_id", sa.BigInteger(), nullable=False),
        sa.Column("expected_scan_id", sa.BigInteger(), nullable=False),
        sa.Column("device_id", sa.BigInteger(), nullable=False),
        sa.Column("technician_id", sa.BigInteger(), nullable=True),
        sa.Column("laterality", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("scan_type", sa.String(), nullable=False),
        sa.Column("acquired_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("software_version", sa.String(), server_default="", nullable=False),
        sa.Column("field_width_mm", sa.Float(), nullable=True),
        sa.Column("field_height_mm", sa.Float(), nullable=True),
        sa.Column("scale_source", sa.String(), nullable=True),
        sa.Column("device_quality_name", sa.String(), nullable=True),
        sa.Column("device_quality_value", sa.Float(), nullable=True),
        sa.Column("axial_length_mm", sa.Float(), nullable=True),
        sa.Column("age_years", sa.Float(), nullable=True),
        sa.Column("diagnosis", sa.String(), nullable=True),
        sa.Column("replaces_id", sa.BigInteger(), nullable=True),
        sa.Column("is_phantom", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("is_counted_received", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("is_counted_decided", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("is_counted_gradable", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("site_id", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("laterality in ('OD', 'OS')", name=op.f("ck_acquisition_laterality")),
        sa.ForeignKeyConstraint(["device_id"], ["device.id"], name=op.f("fk_acquisition_device_id_device")),
        sa.ForeignKeyConstraint(
            ["expected_scan_id"], ["expected_scan.id"], name=op.f("fk_acquisition_expected_scan_id_expected_scan")
        ),
        sa.ForeignKeyConstraint(
            ["replaces_id"], ["acquisition.id"], name=op.f("fk_acquisition_replaces_id_acquisition")
        ),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_acquisition_site_id_site")),
        sa.ForeignKeyConstraint(["subject_id"], ["subject.id"], name=op.f("fk_acquisition_subject_id_subject")),
        sa.ForeignKeyConstraint(
            ["technician_id"], ["technician.id"], name=op.f("fk_acquisition_technician_id_technician")
        ),
        sa.ForeignKeyConstraint(["visit_id"], ["visit.id"], name=op.f("fk_acquisition_visit_id_visit")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_acquisition")),
        sa.UniqueConstraint("expected_scan_id", "code", name=op.f("uq_acquisition_expected_scan_id_code")),
    )
    op.create_index(
        "ix_acquisition_device_id_acquired_at", "acquisition", ["device_id", "acquired_at"], unique=False
    )
    op.create_index(op.f("ix_acquisition_replaces_id"), "acquisition", ["replaces_id"], unique=False)
    op.create_index(op.f("ix_acquisition_site_id"), "acquisition", ["site_id"], unique=False)
    op.create_index("ix_acquisition_site_id_acquired_at", "acquisition", ["site_id", "acquired_at"], unique=False)
    op.create_index(op.f("ix_acquisition_subject_id"), "acquisition", ["subject_id"], unique=False)
    op.create_index(op.f("ix_acquisition_technician_id"), "acquisition", ["technician_id"], unique=False)
    op.create_index(op.f("ix_acquisition_visit_id"), "acquisition", ["visit_id"], unique=False)
    op.create_table(
        "scan",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("acquisition_id", sa.BigInteger(), nullable=False),
        sa.Column("batch_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("slab", sa.String(), nullable=False),
        sa.Column("image_sha256", sa.String(length=64), nullable=False),
        sa.Column("width_px", sa.BigInteger(), nullable=False),
        sa.Column("height_px", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("version", sa.BigInteger(), server_default="1", nullable=False),
        sa.Column("assessment_id", sa.BigInteger(), nullable=True),
        sa.Column("human_ordinal", sa.BigInteger(), nullable=True),
        sa.Column("final_verdict", sa.String(), nullable=True),
        sa.Column("attempts", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("lease_expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("leased_by", sa.String(), nullable=True),
        sa.Column("not_before_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failure", sa.String(), nullable=True),
        sa.Column("site_id", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["acquisition_id"], ["acquisition.id"], name=op.f("fk_scan_acquisition_id_acquisition")
        ),
        sa.ForeignKeyConstraint(["batch_id"], ["batch.id"], name=op.f("fk_scan_batch_id_batch")),
        sa.ForeignKeyConstraint(["image_sha256"], ["blob.sha256"], name=op.f("fk_scan_image_sha256_blob")),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_scan_site_id_site")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_scan")),
        sa.UniqueConstraint("acquisition_id", "slab", name=op.f("uq_scan_acquisition_id_slab")),
        sa.UniqueConstraint("site_id", "image_sha256", name=op.f("uq_scan_site_id_image_sha256")),
    )
    op.create_index(op.f("ix_scan_batch_id"), "scan", ["batch_id"], unique=False)
    op.create_index("ix_scan_image_sha256", "scan", ["image_sha256"], unique=False)
    op.create_index(
        "ix_scan_queue",
        "scan",
        ["kind", "id"],
        unique=False,
        postgresql_where=sa.text("state in ('queued', 'scoring')"),
    )
    op.create_index(op.f("ix_scan_site_id"), "scan", ["site_id"], unique=False)
    op.create_index("ix_scan_site_id_id", "scan", ["site_id", "id"], unique=False)
    op.create_index("ix_scan_site_id_state", "scan", ["site_id", "state"], unique=False)
    op.create_table(
        "assessment",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("scan_id", sa.BigInteger(), nullable=False),
        sa.Column("model_version_id", sa.BigInteger(), nullable=False),
        sa.Column("protocol_version_id", sa.BigInteger(), nullable=False),
        sa.Column("scored_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.Column("grade_scale", sa.String(), nullable=False),
        sa.Column("grade_ordinal", sa.BigInteger(), nullable=False),
        sa.Column("probabilities", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("is_abstained", sa.Boolean(), nullable=False),
        sa.Column("is_octa", sa.Boolean(), server_default="true", nullable=False),
        sa.Column("inherited_ordinal", sa.BigInteger(), nullable=True),
        sa.Column("inherited_from_id", sa.BigInteger(), nullable=True),
        sa.Column("faz_area_mm2", sa.Float(), nullable=True),
        sa.Column("faz_perimeter_mm", sa.Float(), nullable=True),
        sa.Column("faz_acircularity_index", sa.Float(), nullable=True),
        sa.Column("faz_circularity", sa.Float(), nullable=True),
        sa.Column("faz_axis_ratio", sa.Float(), nullable=True),
        sa.Column("is_faz_touching_border", sa.Boolean(), nullable=True),
        sa.Column("centration_offset_mm", sa.Float(), nullable=True),
        sa.Column("centration_offset_fraction", sa.Float(), nullable=True),
        sa.Column("centration_severity", sa.String(), nullable=True),
        sa.Column("blurriness", sa.Float(), nullable=True),
        sa.Column("psnr_inverse", sa.Float(), nullable=True),
        sa.Column("cov", sa.Float(), nullable=True),
        sa.Column("mean", sa.Float(), nullable=True),
        sa.Column("q_level_agreement", sa.Float(), nullable=True),
        sa.Column("cam_mask_agreement", sa.Float(), nullable=True),
        sa.Column("not_computable", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("faz_mask_sha256", sa.String(length=64), nullable=True),
        sa.Column("cam_sha256", sa.String(length=64), nullable=True),
        sa.Column("verdict", sa.String(), nullable=False),
        sa.Column("site_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["cam_sha256"], ["blob.sha256"], name=op.f("fk_assessment_cam_sha256_blob")),
        sa.ForeignKeyConstraint(["faz_mask_sha256"], ["blob.sha256"], name=op.f("fk_assessment_faz_mask_sha256_blob")),
        sa.ForeignKeyConstraint(["inherited_from_id"], ["scan.id"], name=op.f("fk_assessment_inherited_from_id_scan")),
        sa.ForeignKeyConstraint(
            ["model_version_id"], ["model_version.id"], name=op.f("fk_assessment_model_version_id_model_version")
        ),
        sa.ForeignKeyConstraint(
            ["protocol_version_id"],
            ["protocol_version.id"],
            name=op.f("fk_assessment_protocol_version_id_protocol_version"),
        ),
        sa.ForeignKeyConstraint(["scan_id"], ["scan.id"], name=op.f("fk_assessment_scan_id_scan")),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_assessment_site_id_site")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_assessment")),
        sa.UniqueConstraint(
            "scan_id",
            "model_version_id",
            "protocol_version_id",
            name=op.f("uq_assessment_scan_id_model_version_id_protocol_version_id"),
        ),
    )
    op.create_index(op.f("ix_assessment_site_id"), "assessment", ["site_id"], unique=False)
    op.create_table(
        "batch_file",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("batch_id", sa.BigInteger(), nullable=False),
        sa.Column("original_name", sa.String(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("source_sha256", sa.String(length=64), nullable=True),
        sa.Column("image_sha256", sa.String(length=64), nullable=True),
        sa.Column("width_px", sa.BigInteger(), nullable=True),
        sa.Column("height_px", sa.BigInteger(), nullable=True),
        sa.Column(
            "text_regions",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'[]'::jsonb"),
            nullable=False,
        ),
        sa.Column("state", sa.String(), nullable=True),
        sa.Column("entry", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("problems", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("scan_id", sa.BigInteger(), nullable=True),
        sa.Column("site_id", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["batch_id"], ["batch.id"], name=op.f("fk_batch_file_batch_id_batch")),
        sa.ForeignKeyConstraint(["scan_id"], ["scan.id"], name=op.f("fk_batch_file_scan_id_scan")),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_batch_file_site_id_site")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_batch_file")),
    )
    op.create_index(op.f("ix_batch_file_batch_id"), "batch_file", ["batch_id"], unique=False)
    op.create_index(op.f("ix_batch_file_scan_id"), "batch_file", ["scan_id"], unique=False)
    op.create_index(op.f("ix_batch_file_site_id"), "batch_file", ["site_id"], unique=False)
    op.create_table(
        "reacquisition_request",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("acquisition_id", sa.BigInteger(), nullable=False),
        sa.Column("scan_id", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("reason_code", sa.String(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("remedy", sa.String(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=True),
        sa.Column("requested_by_id", sa.BigInteger(), nullable=True),
        sa.Column("replacement_id", sa.BigInteger(), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.BigInteger(), server_default="1", nullable=False),
        sa.Column("site_id", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["acquisition_id"], ["acquisition.id"], name=op.f("fk_reacquisition_request_acquisition_id_acquisition")
        ),
        sa.ForeignKeyConstraint(
            ["replacement_id"], ["acquisition.id"], name=op.f("fk_reacquisition_request_replacement_id_acquisition")
        ),
        sa.ForeignKeyConstraint(
            ["requested_by_id"], ["app_user.id"], name=op.f("fk_reacquisition_request_requested_by_id_app_user")
        ),
        sa.ForeignKeyConstraint(["scan_id"], ["scan.id"], name=op.f("fk_reacquisition_request_scan_id_scan")),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_reacquisition_request_site_id_site")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reacquisition_request")),
    )
    op.create_index(
        op.f("ix_reacquisition_request_replacement_id"), "reacquisition_request", ["replacement_id"], unique=False
    )
    op.create_index(op.f("ix_reacquisition_request_scan_id"), "reacquisition_request", ["scan_id"], unique=False)
    op.create_index(op.f("ix_reacquisition_request_site_id"), "reacquisition_request", ["site_id"], unique=False)
    op.create_index(
        "ix_reacquisition_request_site_id_state", "reacquisition_request", ["site_id", "state"], unique=False
    )
    op.create_index(
        "uq_reacquisition_request_open",
        "reacquisition_request",
        ["acquisition_id"],
        unique=True,
        postgresql_where=sa.text("state not in ('closed', 'not_possible')"),
    )
    op.create_table(
        "assessment_artifact",
        sa.Column("assessment_id", sa.BigInteger(), nullable=False),
        sa.Column("type", sa.String(), nullable=False),
        sa.Column("area_fraction", sa.Float(), nullable=False),
        sa.Column("line_fraction", sa.Float(), nullable=True),
        sa.Column("severity", sa.String(), nullable=False),
        sa.Column("mask_sha256", sa.String(length=64), nullable=True),
        sa.Column("site_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["assessment_id"], ["assessment.id"], name=op.f("fk_assessment_artifact_assessment_id_assessment")
        ),
        sa.ForeignKeyConstraint(["mask_sha256"], ["blob.sha256"], name=op.f("fk_assessment_artifact_mask_sha256_blob")),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_assessment_artifact_site_id_site")),
        sa.PrimaryKeyConstraint("assessment_id", "type", name=op.f("pk_assessment_artifact")),
    )
    op.create_index(op.f("ix_assessment_artifact_site_id"), "assessment_artifact", ["site_id"], unique=False)
    op.create_table(
        "assessment_reason",
        sa.Column("assessment_id", sa.BigInteger(), nullable=False),
        sa.Column("rank", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("operator_fixable", sa.String(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("remedy", sa.String(), nullable=False),
        sa.Column("site_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["assessment_id"], ["assessment.id"], name=op.f("fk_assessment_reason_assessment_id_assessment")
        ),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_assessment_reason_site_id_site")),
        sa.PrimaryKeyConstraint("assessment_id", "rank", name=op.f("pk_assessment_reason")),
    )
    op.create_index(op.f("ix_assessment_reason_site_id"), "assessment_reason", ["site_id"], unique=False)
    op.create_index("ix_assessment_reason_site_id_code", "assessment_reason", ["site_id", "code"], unique=False)
    op.create_table(
        "reacquisition_step",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("request_id", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("actor_id", sa.BigInteger(), nullable=True),
        sa.Column("note", sa.String(), server_default="", nullable=False),
        sa.Column("site_id", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["actor_id"], ["app_user.id"], name=op.f("fk_reacquisition_step_actor_id_app_user")),
        sa.ForeignKeyConstraint(
            ["request_id"],
            ["reacquisition_request.id"],
            name=op.f("fk_reacquisition_step_request_id_reacquisition_request"),
        ),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_reacquisition_step_site_id_site")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reacquisition_step")),
        sa.UniqueConstraint("request_id", "number", name=op.f("uq_reacquisition_step_request_id_number")),
    )
    op.create_index(op.f("ix_reacquisition_step_site_id"), "reacquisition_step", ["site_id"], unique=False)
    op.create_table(
        "review",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("scan_id", sa.BigInteger(), nullable=False),
        sa.Column("assessment_id", sa.BigInteger(), nullable=True),
        sa.Column("reviewer_id", sa.BigInteger(), nullable=False),
        sa.Column("decision", sa.String(), nullable=False),
        sa.Column("ordinal", sa.BigInteger(), nullable=True),
        sa.Column("reason", sa.String(), server_default="", nullable=False),
        sa.Column("is_masked", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("site_id", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["assessment_id"], ["assessment.id"], name=op.f("fk_review_assessment_id_assessment")),
        sa.ForeignKeyConstraint(["reviewer_id"], ["app_user.id"], name=op.f("fk_review_reviewer_id_app_user")),
        sa.ForeignKeyConstraint(["scan_id"], ["scan.id"], name=op.f("fk_review_scan_id_scan")),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_review_site_id_site")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_review")),
    )
    op.create_index(op.f("ix_review_reviewer_id"), "review", ["reviewer_id"], unique=False)
    op.create_index(op.f("ix_review_scan_id"), "review", ["scan_id"], unique=False)
    op.create_index(op.f("ix_review_site_id"), "review", ["site_id"], unique=False)
    op.create_foreign_key("fk_scan_assessment_id_assessment", "scan", "assessment", ["assessment_id"], ["id"])


def downgrade() -> None:
    """Undo."""
    op.drop_constraint("fk_scan_assessment_id_assessment", "scan", type_="foreignkey")
    for table in reversed(TABLES):
        op.drop_table(table)

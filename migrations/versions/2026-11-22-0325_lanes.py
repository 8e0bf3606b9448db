"""What every lane says of a scan has a place: findings and pictures beside the assessment, volumes beside scans.

- assessment.findings holds what only one lane says, as a document; OCTA en face keeps its columns.
- assessment_picture names the pictures and arrays of those findings in the blob store; it is read with its assessment.
- scan.volume_sha256 and batch_file.volume_sha256 name the whole volume, of which the image is the central B-scan.
- fovea_mark holds where reviewers say that a volume's fovea lies; rows are added, never changed, the newest counts.

Revision 0025, after 0024.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0025"
down_revision: str | None = "0024"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

DEFINER = "security definer set search_path = public, pg_temp"
STAYS = """
create function assessment_picture_stays_in_its_site() returns trigger language plpgsql {definer} as $function$
begin
  if not exists (select from assessment a where a.id = new.assessment_id and a.site_id = new.site_id) then
    raise exception using errcode = 'check_violation',
      message = 'assessment_picture.assessment_id names a row of another site';
  end if;
  return new;
end
$function$
""".format(definer=DEFINER)
WITH_ITS_ASSESSMENT = (
    "site_id = any ((select scoped_sites())::bigint[]) and exists (select from assessment a where a.id = assessment_id)"
)
"""Whoever may read an assessment, and nobody else, reads its pictures: row-level security holds inside, too."""

UNMASKED = "site_technician,qc_technician,adjudicator,manager,admin"
DECIDERS = "qc_technician,adjudicator"
FOVEA_STAYS = """
create function fovea_mark_stays_in_its_site() returns trigger language plpgsql {definer} as $function$
begin
  if not exists (select from scan s where s.id = new.scan_id and s.site_id = new.site_id) then
    raise exception using errcode = 'check_violation', message = 'fovea_mark.scan_id names a row of another site';
  end if;
  return new;
end
$function$
""".format(definer=DEFINER)


def upgrade() -> None:
    """Apply."""
    op.add_column("assessment", sa.Column("findings", postgresql.JSONB(), nullable=True))
    for table in ("scan", "batch_file"):
        op.add_column(table, sa.Column("volume_sha256", sa.String(length=64), nullable=True))
    op.create_foreign_key(op.f("fk_scan_volume_sha256_blob"), "scan", "blob", ["volume_sha256"], ["sha256"])
    op.create_index(op.f("ix_scan_volume_sha256"), "scan", ["volume_sha256"])
    make_pictures()
    make_fovea_marks()
    op.execute("grant update (volume_sha256) on batch_file to octaudit_dashboard")


def make_pictures() -> None:
    """The table of pictures, with its rules."""
    op.create_table(
        "assessment_picture",
        sa.Column("assessment_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("site_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["assessment_id"], ["assessment.id"], name=op.f("fk_assessment_picture_assessment_id_assessment")
        ),
        sa.ForeignKeyConstraint(["sha256"], ["blob.sha256"], name=op.f("fk_assessment_picture_sha256_blob")),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_assessment_picture_site_id_site")),
        sa.PrimaryKeyConstraint("assessment_id", "name", name=op.f("pk_assessment_picture")),
    )
    op.create_index(op.f("ix_assessment_picture_site_id"), "assessment_picture", ["site_id"])
    op.create_index(op.f("ix_assessment_picture_sha256"), "assessment_picture", ["sha256"])
    op.execute("alter table assessment_picture enable row level security")
    op.execute("alter table assessment_picture force row level security")
    op.execute(
        "create policy dashboard_select on assessment_picture for select to octaudit_dashboard "
        f"using ({WITH_ITS_ASSESSMENT})"
    )
    for role in ("owner", "worker"):
        op.execute(f"create policy {role}_all on assessment_picture to octaudit_{role} using (true) with check (true)")
    op.execute("grant select on assessment_picture to octaudit_dashboard")
    op.execute("grant select, insert on assessment_picture to octaudit_worker")
    op.execute(STAYS)
    op.execute(
        "create trigger stays_in_its_site before insert or update of site_id, assessment_id on assessment_picture "
        "for each row execute function assessment_picture_stays_in_its_site()"
    )


def make_fovea_marks() -> None:
    """The table of people's words on the fovea, with its rules."""
    op.create_table(
        "fovea_mark",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("scan_id", sa.BigInteger(), nullable=False),
        sa.Column("x_mm", sa.Float(), nullable=True),
        sa.Column("y_mm", sa.Float(), nullable=True),
        sa.Column("set_by_id", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("site_id", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("(x_mm is null) = (y_mm is null)", name=op.f("ck_fovea_mark_both_or_none")),
        sa.CheckConstraint("reason <> ''", name=op.f("ck_fovea_mark_reason")),
        sa.ForeignKeyConstraint(["scan_id"], ["scan.id"], name=op.f("fk_fovea_mark_scan_id_scan")),
        sa.ForeignKeyConstraint(["set_by_id"], ["app_user.id"], name=op.f("fk_fovea_mark_set_by_id_app_user")),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_fovea_mark_site_id_site")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fovea_mark")),
    )
    op.create_index(op.f("ix_fovea_mark_site_id"), "fovea_mark", ["site_id"])
    op.create_index("ix_fovea_mark_scan_id_id", "fovea_mark", ["scan_id", "id"])
    op.execute("alter table fovea_mark enable row level security")
    op.execute("alter table fovea_mark force row level security")
    rules = {
        "select": f"using (site_id = any ((select scoped_sites_as('{{{UNMASKED}}}'))::bigint[]))",
        "insert": f"with check (site_id = any ((select scoped_sites_as('{{{DECIDERS}}}'))::bigint[]) "
        "and set_by_id = (select current_user_id()))",
    }
    for command, rule in rules.items():
        op.execute(f"create policy dashboard_{command} on fovea_mark for {command} to octaudit_dashboard {rule}")
    for role in ("owner", "worker"):
        op.execute(f"create policy {role}_all on fovea_mark to octaudit_{role} using (true) with check (true)")
    op.execute("grant select, insert on fovea_mark to octaudit_dashboard")
    op.execute("grant select on fovea_mark to octaudit_worker")
    op.execute(FOVEA_STAYS)
    op.execute(
        "create trigger stays_in_its_site before insert or update of site_id, scan_id on fovea_mark "
        "for each row execute function fovea_mark_stays_in_its_site()"
    )
    op.execute(
        "create trigger stays_as_written before update or delete or truncate on fovea_mark "
        "for each statement execute function stays_as_written()"
    )


def downgrade() -> None:
    """Take back."""
    op.drop_table("fovea_mark")
    op.execute("drop function fovea_mark_stays_in_its_site()")
    op.drop_table("assessment_picture")
    op.execute("drop function assessment_picture_stays_in_its_site()")
    op.execute("revoke update (volume_sha256) on batch_file from octaudit_dashboard")
    op.drop_index(op.f("ix_scan_volume_sha256"), "scan")
    op.drop_constraint(op.f("fk_scan_volume_sha256_blob"), "scan")
    for table in ("batch_file", "scan"):
        op.drop_column(table, "volume_sha256")
    op.drop_column("assessment", "findings")

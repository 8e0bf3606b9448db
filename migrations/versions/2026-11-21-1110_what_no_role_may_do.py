"""Triggers: nobody reviews own work, nothing points across sites, and what was written down stays as it was.

They hold for every role, the owner included, and for every program that reaches the tables.
"""

from collections.abc import Sequence

from alembic import op

revision: str = "0004"
down_revision: str | None = "0003"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

DEFINER = "language plpgsql security definer set search_path = public, pg_temp"

# Columns that name a row of the same site. A foreign key alone would let a row of one site point at another's.
SAME_SITE = {
    "visit": {"subject_id": "subject"},
    "expected_scan": {"visit_id": "visit"},
    "batch_file": {"batch_id": "batch", "scan_id": "scan"},
    "acquisition": {
        "subject_id": "subject",
        "visit_id": "visit",
        "expected_scan_id": "expected_scan",
        "device_id": "device",
        "technician_id": "technician",
        "replaces_id": "acquisition",
    },
    "scan": {"acquisition_id": "acquisition", "batch_id": "batch", "assessment_id": "assessment"},
    "assessment": {"scan_id": "scan", "inherited_from_id": "scan"},
    "assessment_artifact": {"assessment_id": "assessment"},
    "assessment_reason": {"assessment_id": "assessment"},
    "review": {"scan_id": "scan", "assessment_id": "assessment"},
    "reacquisition_request": {
        "acquisition_id": "acquisition",
        "scan_id": "scan",
        "replacement_id": "acquisition",
    },
    "reacquisition_step": {"request_id": "reacquisition_request"},
    "rate_delta": {"device_id": "device", "technician_id": "technician"},
    "annotation": {"device_id": "device"},
}

UNCHANGEABLE = ("audit_event", "audit_seal", "review", "reacquisition_step", "protocol_version")
"""Rows that are added and never changed."""

OWN_WORK = """
  if exists (select from scan s
             join batch b on b.id = s.batch_id
             join acquisition a on a.id = s.acquisition_id
             left join technician t on t.id = a.technician_id
             where s.id = {scan} and {person} in (b.uploaded_by_id, t.user_id)) then
    raise exception using errcode = 'insufficient_privilege',
      message = 'whoever acquired or uploaded a scan cannot review it';
  end if;
"""


def same_site_function(table: str, parents: dict[str, str]) -> str:
    """A trigger function that compares the row's site with that of every row it names."""
    checks = "\n".join(
        f"  if new.{column} is not null and not exists (select from {parent} p where p.id = new.{column} "
        f"and p.site_id = new.site_id) then\n"
        f"    raise exception using errcode = 'check_violation',\n"
        f"      message = '{table}.{column} names a row of another site';\n  end if;"
        for column, parent in parents.items()
    )
    return (
        f"create function {table}_stays_in_its_site() returns trigger {DEFINER} as $function$\nbegin\n{checks}\n"
        "  return new;\nend\n$function$"
    )


def upgrade() -> None:
    """Apply."""
    for table, parents in SAME_SITE.items():
        op.execute(same_site_function(table, parents))
        op.execute(
            f"create trigger stays_in_its_site before insert or update of site_id, {', '.join(parents)} on {table} "
            f"for each row execute function {table}_stays_in_its_site()"
        )
    op.execute(
        f"create function review_is_not_of_own_work() returns trigger {DEFINER} as $function$\nbegin\n"
        f"{OWN_WORK.format(scan='new.scan_id', person='new.reviewer_id')}  return new;\nend\n$function$"
    )
    op.execute(
        "create trigger is_not_of_own_work before insert on review for each row "
        "execute function review_is_not_of_own_work()"
    )
    # Without a token (worker, operator) current_user_id() is NULL and nothing is own work.
    op.execute(
        f"create function decision_is_not_on_own_work() returns trigger {DEFINER} as $function$\nbegin\n"
        f"{OWN_WORK.format(scan='new.id', person='current_user_id()')}  return new;\nend\n$function$"
    )
    op.execute(
        "create trigger is_not_on_own_work before update of state, human_ordinal, final_verdict on scan for each row "
        "when (new.human_ordinal is distinct from old.human_ordinal or (new.state is distinct from old.state "
        "and new.state in ('accepted', 'queried', 'reacquisition_requested'))) "
        "execute function decision_is_not_on_own_work()"
    )
    op.execute(
        "create function stays_as_written() returns trigger language plpgsql as $function$\nbegin\n"
        "  raise exception using errcode = 'insufficient_privilege',\n"
        "    message = tg_table_name || ' is only ever added to';\nend\n$function$"
    )
    for table in UNCHANGEABLE:
        op.execute(
            f"create trigger stays_as_written before update or delete or truncate on {table} "
            "for each statement execute function stays_as_written()"
        )


def downgrade() -> None:
    """Undo."""
    for table in UNCHANGEABLE:
        op.execute(f"drop trigger stays_as_written on {table}")
    op.execute("drop function stays_as_written()")
    op.execute("drop trigger is_not_on_own_work on scan")
    op.execute("drop function decision_is_not_on_own_work()")
    op.execute("drop trigger is_not_of_own_work on review")
    op.execute("drop function review_is_not_of_own_work()")
    for table in SAME_SITE:
        op.execute(f"drop trigger stays_in_its_site on {table}")
        op.execute(f"drop function {table}_stays_in_its_site()")

"""What waits is found without counting what does not: gradings to settle by who settles them, events to seal by place.

- The list of gradings that a person is to settle had an index by site alone and asked of each of them who the person is.
- ``audit_chain_status`` looked at the newest thousand events, but the planner, which cannot know that they are so few,
  read all seals and all events for it.

The previous release goes on to run: nothing changes its form.

Revision 0037, after 0035.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0037"
down_revision: str | None = "0035"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

INDEX = "ix_grading_to_adjudicate"

# Both as plain expressions, so that each step is one walk of an index: an upper bound that is not known when the
# statement is planned counts as a third of a table, and an anti-join of so many reads both.
FEW = """
        waiting as (select count(*) as n, min(e.happened_at) as since
                    from (select id, happened_at from audit_event
                          where id > (select id from newest) order by id offset 0) e
                    where (select s.sequence from audit_seal s where s.event_id = e.id) is null)
"""
ALL = """
        waiting as (select count(*) as n, min(e.happened_at) as since from audit_event e, newest
                    where e.id > newest.id and not exists (select from audit_seal s where s.event_id = e.id))
"""


def replace_chain_status(waiting: str) -> None:
    """Give the function another way to what is not sealed; its form, owner and grants stay."""
    op.execute(
        f"""
        create or replace function audit_chain_status()
        returns table (n_sealed bigint, sealed_at timestamptz, n_waiting bigint, waiting_since timestamptz)
        language sql stable security definer set search_path = public, pg_temp as
        $function$
        with head as (select s.sequence, s.created_at from audit_seal s order by s.sequence desc limit 1),
        newest as (select coalesce(max(s.event_id), 0) - 1000 as id from audit_seal s),
        {waiting}
        select coalesce((select sequence from head), 0), (select created_at from head), waiting.n, waiting.since
        from waiting where is_global_admin() or cardinality(whole_studies_as('{{manager,admin}}')) > 0
        $function$
        """  # noqa: S608 - nothing but constants of this module
    )


def upgrade() -> None:
    """Apply."""
    op.create_index(INDEX, "grading", ["adjudicator_id", "id"], postgresql_where=sa.text("state = 'to_adjudicate'"))
    replace_chain_status(FEW)


def downgrade() -> None:
    """Undo."""
    replace_chain_status(ALL)
    op.drop_index(INDEX, "grading")

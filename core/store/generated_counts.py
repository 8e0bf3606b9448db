"""Counts a generated programme with set-based SQL, to the same counts as ``octaudit rates rebuild`` would reach.

The rules are those of core.store.rate, written a second time: only for programmes as core.store.generated_programme
makes them (no phantoms, every slab required). ``octaudit rates verify`` holds the two against each other.
"""

from sqlalchemy import text
from sqlalchemy.orm import Session

from core.database.session import Database
from core.store.rate_audit import rebuild_sums


def count_programme(session: Session) -> None:
    """Set what the counts hold of every acquisition, and write the counts; needs the owner's rights."""
    session.execute(text("analyze"))  # in this transaction nobody has looked at the new rows yet
    for statement in (STANDINGS, COUNTED, CAPTURE_COUNTS, FINAL_COUNTS, VISIT_COUNTS):
        session.execute(text(statement))
    session.execute(text("drop table made_standing"))
    rebuild_sums(session)


def tidy(owner: Database) -> None:
    """Do at once what autovacuum does in time: statistics for the planner, and indexes that answer alone."""
    with owner.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("vacuum analyze"))


STANDINGS = """
create table made_standing as
with slab as (
  select s.acquisition_id, s.id, s.slab, coalesce(s.human_ordinal, case when a.is_abstained then null
         else a.grade_ordinal end) as ordinal, a.id as assessment_id, a.is_abstained, a.is_octa, a.centration_severity,
         cast(a.probabilities ->> 'ungradable' as float) as p
  from scan s left join assessment a on a.id = s.assessment_id),
standing as (
  select acquisition_id, bool_and(ordinal is not null) as is_decided, coalesce(min(ordinal), 0) >= 1
         and bool_and(ordinal is not null) as is_gradable, bool_or(assessment_id is not null) as is_scored
  from slab group by acquisition_id),
requested as (
  select distinct on (acquisition_id) acquisition_id, reason_code from reacquisition_request
  order by acquisition_id, id),
cause as (
  select acquisition_id, code, min(place) as place from (
    select t.acquisition_id, r.reason_code as code, 0 as place
    from standing t join requested r using (acquisition_id) where t.is_decided and not t.is_gradable
    union all
    select s.acquisition_id, r.code, 1000 * s.id + r.rank + 1 from slab s join standing t using (acquisition_id)
    join assessment_reason r using (assessment_id)
    where t.is_decided and s.ordinal = 0 and r.code not in ('octaudit:abstained', 'octaudit:ungradable')) each
  group by acquisition_id, code),
finding as (
  select acquisition_id, 'score:' || slab || ' ' || least(floor(p * 10), 9) as finding from slab where p is not null
  union all
  select acquisition_id, 'abstained:' || slab from slab where is_abstained
  union all
  select acquisition_id, 'stranger:' || slab from slab where not is_octa
  union all
  select a.id, 'device_index:' || a.device_quality_name || ' ' || 5 * floor(a.device_quality_value / 5)
  from acquisition a join standing t on t.acquisition_id = a.id where t.is_scored
  union all
  select acquisition_id,
         'artifact:' || type || ' ' || case when bool_or(severity = 'severe') then 'severe' else 'mild' end
  from (select s.acquisition_id, r.type, r.severity from slab s join assessment_artifact r using (assessment_id)
        where r.severity <> 'none'
        union all
        select acquisition_id, 'decentration', centration_severity from slab where centration_severity <> 'none') each
  join standing t using (acquisition_id) where t.is_decided group by acquisition_id, type
  union all
  select a.id, 'deviation:' || each from acquisition a join standing t on t.acquisition_id = a.id,
  lateral (select 'any' union all select jsonb_array_elements_text(a.deviations)) kind (each)
  where t.is_decided and a.deviations <> '[]'
  union all
  select acquisition_id, 'cause:' || code from cause
  union all
  select acquisition_id, 'first_cause:' || (array_agg(code order by place))[1] from cause group by acquisition_id
  union all
  select t.acquisition_id, each || ':octaudit:ungradable' from standing t, unnest(array['cause', 'first_cause']) each
  where t.is_decided and not t.is_gradable
    and not exists (select from cause c where c.acquisition_id = t.acquisition_id))
select t.acquisition_id, t.is_decided, t.is_gradable,
       coalesce(jsonb_agg(f.finding order by f.finding) filter (where f.finding is not null), '[]') as findings
from standing t left join finding f using (acquisition_id)
group by t.acquisition_id, t.is_decided, t.is_gradable
"""

COUNTED = """
update acquisition a set is_counted_received = true, is_counted_decided = t.is_decided,
  is_counted_gradable = t.is_gradable, counted_findings = t.findings
from made_standing t where t.acquisition_id = a.id
"""

_WEEK = "cast(date_trunc('week', a.acquired_at at time zone 'UTC') as date)"
_KEY = f"a.site_id, a.device_id, a.technician_id, a.software_version, a.scan_type, {_WEEK}"
_INSERT = (
    "insert into rate (site_id, device_id, technician_id, software_version, scan_type, week_on, measure, detail, n)"
)

CAPTURE_COUNTS = f"""
{_INSERT}
select {_KEY}, split_part(each, ':', 1), substr(each, strpos(each, ':') + 1), count(*)
from acquisition a, lateral (
  select case when a.replaces_id is null then 'received:' end
  union all select case when a.is_counted_decided then case when a.replaces_id is null then 'decided:'
    else 'repeated:' end end
  union all select case when a.is_counted_gradable then case when a.replaces_id is null then 'gradable:'
    else 'repeated_gradable:' end end
  union all select jsonb_array_elements_text(a.counted_findings) where a.replaces_id is null) found (each)
where each is not null group by 1, 2, 3, 4, 5, 6, 7, 8
"""  # noqa: S608 - our own fragments

FINAL_COUNTS = f"""
{_INSERT}
select {_KEY}, measure, '', count(*)
from acquisition a
join (select min(id) as id, bool_or(is_counted_gradable) as is_gradable from acquisition group by expected_scan_id) slot
  using (id),
lateral (select 'final_received' union all select 'final_gradable' where slot.is_gradable) found (measure)
group by 1, 2, 3, 4, 5, 6, 7
"""  # noqa: S608 - our own fragments

VISIT_COUNTS = f"""
{_INSERT}
select site_id, device_id, technician_id, software_version, scan_type, week_on, 'visits', decided || '/' || gradable,
       count(*)
from (select a.visit_id, a.site_id, a.device_id, a.technician_id, a.software_version, type.scan_type,
             {_WEEK} as week_on, count(*) as decided, count(*) filter (where a.is_counted_gradable) as gradable
      from acquisition a, lateral (select a.scan_type union all select '') type (scan_type)
      where a.is_counted_decided and a.replaces_id is null group by 1, 2, 3, 4, 5, 6, 7) visit
group by 1, 2, 3, 4, 5, 6, 7, 8
"""  # noqa: S608 - our own fragments

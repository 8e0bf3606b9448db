"""A generated programme of any size, written with set-based SQL: places, visits, captures, scans, scores and decisions.

What the pages are measured on (core.usecases.measure_pages). Row by row a million scans would take hours. The rows are
consistent as the program itself leaves them, so ``octaudit rates verify`` holds of them; only the pictures are missing.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.orm import Session

from core.errors import NotAllowedError
from core.policy.protocol import Protocol

N_SITES, DEVICES_PER_SITE, TECHNICIANS_PER_SITE = 300, 3, 3
N_YEARS = 5
SCANS_PER_VISIT = 6.31
"""Two eyes, 3 x 3 mm in two slabs and 6 x 6 mm in one; and 0.31 of captures taken again."""
SEED = 0.42
"""Of PostgreSQL's random(); same seed and same number of scans, same programme."""


@dataclass(frozen=True, slots=True)
class Programme:
    """What was written, and the moment at which it ends: let "today" be that day."""

    study_id: int
    n_visits: int
    n_scans: int
    ends_at: datetime


def has_study(session: Session) -> bool:
    """Whether the database holds any study, generated or not."""
    return bool(session.scalar(text("select exists (select from study)")))


def write_programme(
    session: Session,
    *,
    n_scans: int,
    ends_at: datetime,
    n_sites: int = N_SITES,
    on_step: Callable[[str], object] = lambda _: None,
) -> Programme:
    """Write about ``n_scans`` scans of 300 sites, 900 devices and five years into an empty database, uncounted.

    Needs the owner's rights. Ids are given here, so the database must hold no programme yet (NotAllowedError). Count
    with core.store.generated_counts afterwards.
    """
    if has_study(session):
        raise NotAllowedError("This database holds a study.", remedy="Generate a programme into an empty database.")
    n_visits = max(1, round(n_scans / SCANS_PER_VISIT))
    values = {
        "n_sites": n_sites, "n_visits": n_visits, "n_devices": DEVICES_PER_SITE, "n_technicians": TECHNICIANS_PER_SITE,
        "starts_at": ends_at - timedelta(days=round(365.25 * N_YEARS)), "ends_at": ends_at,
        "protocol": Protocol.default().model_dump_json(), "seed": SEED,
    }  # fmt: skip
    undone = _lift_constraints(session)
    for name, statements in STEPS:
        on_step(name)
        for part in statements.split(";"):
            asked = {each for each in values if f":{each}" in part}
            session.execute(text(part), {each: values[each] for each in asked})
    on_step("indexes and foreign keys")
    for statement in undone:
        session.execute(text(statement))
    n_written = session.scalar(text("select count(*) from made_scan")) or 0
    for table in ("made_scan", "made_capture", "made_visit"):
        session.execute(text(f"drop table {table}"))
    for table in NUMBERED:
        last = f"select setval(pg_get_serial_sequence('{table}', 'id'), (select coalesce(max(id), 0) + 1 from {table}))"  # noqa: S608 - our own names
        session.execute(text(last))
    return Programme(1, n_visits, n_written, ends_at)


def _lift_constraints(session: Session) -> list[str]:
    """Drop foreign keys and indexes of the large tables and stop their triggers; return what undoes that.

    Row by row they take nine tenths of the time. The foreign keys are checked when they come back; what the triggers
    check (a row stays in its site) is so by the way the rows are made.
    """
    asked = {"tables": list(LARGE)}
    keys = session.execute(text(FOREIGN_KEYS), asked).all()
    indexes = session.execute(text(INDEXES), asked).all()
    for table, name, _ in keys:
        session.execute(text(f"alter table {table} drop constraint {name}"))
    for name, _ in indexes:
        session.execute(text(f"drop index {name}"))
    for table in LARGE:
        session.execute(text(f"alter table {table} disable trigger user"))
    return [
        *(definition for _, definition in indexes),
        *(f"alter table {table} add constraint {name} {definition}" for table, name, definition in keys),
        *(f"alter table {table} enable trigger user" for table in LARGE),
    ]


FOREIGN_KEYS = """
select conrelid::regclass::text, conname, pg_get_constraintdef(oid) from pg_constraint
where contype = 'f' and conrelid::regclass::text = any (cast(:tables as text[]))
"""
INDEXES = """
select indexrelid::regclass::text, pg_get_indexdef(indexrelid) from pg_index
where indrelid::regclass::text = any (cast(:tables as text[]))
  and not exists (select from pg_constraint where conindid = indexrelid)
"""
LARGE = (
    "visit", "expected_scan", "acquisition", "batch", "batch_file", "scan", "assessment", "assessment_artifact",
    "assessment_reason", "audit_event",
)  # fmt: skip
NUMBERED = (
    "study", "protocol_version", "model_version", "site", "device", "technician", "app_user", "subject", "visit",
    "expected_scan", "acquisition", "batch", "batch_file", "scan", "assessment", "reacquisition_request", "review",
)  # fmt: skip
"""Tables into which ids were written; their sequences go on after them."""

# The first three people decide and grade; one more for each site uploads, for nobody may judge the own work.
PLACES = """
with seeded as (select setseed(:seed)),
 s as (insert into study (id, code, name) select 1, 'GEN', 'Generated programme' from seeded returning id),
 p as (insert into protocol_version (id, study_id, number, effective_at, document)
       select 1, id, 1, :starts_at - interval '1 day', cast(:protocol as jsonb) from s),
 m as (insert into model_version (id, name, version, weights_sha256, preprocessing, card)
       values (1, 'generated', '0', repeat('0', 64), 'none', '{}')),
 u as (insert into app_user (id, name, display_name)
       select g, 'person' || g, 'Person ' || g from generate_series(1, 3 + :n_sites) g),
 o as (insert into site (id, study_id, code, name, country)
       select g, s.id, 'S' || to_char(g, 'fm000'), 'Clinic ' || g, 'DE' from s, generate_series(1, :n_sites) g
       returning id),
 d as (insert into device (id, site_id, code, manufacturer, model, serial, software_version)
       select (o.id - 1) * :n_devices + k, o.id, 'S' || to_char(o.id, 'fm000') || '-' || k,
              (array['Optovue', 'Zeiss', 'Topcon'])[1 + (o.id + k) % 3],
              (array['AngioVue', 'Cirrus 6000', 'Triton'])[1 + (o.id + k) % 3], 'SN' || o.id || '-' || k, '3'
       from o, generate_series(1, :n_devices) k)
insert into technician (id, site_id, code)
select (o.id - 1) * :n_technicians + k, o.id, 'T' || o.id || '-' || k from o, generate_series(1, :n_technicians) k
"""

VISITS = """
create table made_visit as
select v as id, subject, site, (site - 1) * :n_devices + 1 + floor(random() * :n_devices)::int as device,
       (site - 1) * :n_technicians + 1 + floor(random() * :n_technicians)::int as technician, day,
       1 + extract(epoch from day - :starts_at)::int / 63115200 as version, random() as luck,
       0.06 + 0.14 * ((site * 37) % 300) / 300.0 as fails
from (select v, 1 + (v - 1) / 4 as subject, 1 + ((v - 1) / 4 * 79) % :n_sites as site,
             date_trunc('minute', :starts_at + random() * (:ends_at - :starts_at - interval '1 hour')) as day
      from generate_series(1, :n_visits) v) made
"""
"""``luck`` is shared by the scans of a visit, which makes them alike; ``fails`` is the site's own rate."""

CAPTURES = """
create table made_capture as
select (v.id - 1) * 4 + s as id, (v.id - 1) * 4 + s as slot, v.id as visit, v.subject, v.site, v.device, v.technician,
       v.version, case when s % 2 = 1 then 'OD' else 'OS' end as eye, case when s <= 2 then 3 else 6 end as field,
       v.day + s * interval '2 minutes' as taken_at,
       (case when random() < 0.4 then v.luck else random() end) < v.fails as is_bad, cast(null as bigint) as replaces
from made_visit v, generate_series(1, 4) s
"""

REPLACEMENTS = """
insert into made_capture
select :n_visits * 4 + row_number() over (order by id), slot, visit, subject, site, device, technician, version, eye,
       field, taken_at + interval '7 days', random() < 0.25, id
from made_capture where is_bad and taken_at < :ends_at - interval '10 days' and random() < 0.35
"""

SCANS = """
create table made_scan as
select row_number() over (order by taken_at, capture, slab) as id, made.*,
       case when p >= 0.5 then 0 when p >= 0.2 then 1 else 2 end as ordinal,
       taken_at < :ends_at - interval '6 hours' as is_scored,
       is_unsure and taken_at < :ends_at - interval '14 days' as is_judged,
       (array['motion', 'shadow', 'defocus', 'low_signal'])[1 + (capture + visit) % 4] as fault
from (select c.id as capture, c.visit, c.site, c.taken_at, slab, random() < 0.02 as is_unsure,
             random() > 0.001 as is_octa,
             (floor(1000 * case when c.is_bad and (slab = 'superficial' or random() < 0.7) then 0.5 + 0.499 * random()
                                else 0.499 * random() ^ 2 end) + 0.5) / 1000 as p,
             random() < 0.2 as has_mild, random() < 0.03 as is_off_centre
      from made_capture c, unnest(case when c.field = 3 then array['superficial', 'deep'] else array['superficial'] end)
           slab) made
"""
"""``p`` lies between thousandths, so that no tenth is a matter of rounding."""

ROSTER = """
insert into subject (id, site_id, code)
select distinct subject, site, 'P' || subject
from made_visit;
insert into visit (id, site_id, subject_id, code, window_ends_on)
select id, site, subject, 'V' || id, cast(day as date) + 28
from made_visit;
insert into expected_scan (id, site_id, visit_id, laterality, scan_type, first_received_at)
select slot, site, visit, eye, 'octa-enface ' || field || 'x' || field, taken_at
from made_capture where replaces is null
"""

ACQUISITIONS = """
insert into acquisition (id, site_id, code, subject_id, visit_id, expected_scan_id, device_id, technician_id,
  laterality, kind, scan_type, acquired_at, software_version, field_width_mm, field_height_mm, scale_source,
  device_quality_name, device_quality_value, age_years, diagnosis, replaces_id)
select id, site, 'A' || id, subject, visit, slot, device, technician, eye, 'octa-enface',
       'octa-enface ' || field || 'x' || field, taken_at, version::text, field, field, 'manifest', 'SSI',
       45 + (id * 7) % 40 - case when is_bad then 12 else 0 end, 40 + subject % 50, 'none', replaces
from made_capture order by id
"""

BATCHES = """
insert into batch (id, site_id, receipt, submitted_at, created_at, uploaded_by_id)
select id, site, 'R' || id, day + interval '1 hour', day + interval '1 hour', 3 + site
from made_visit;
insert into blob (sha256, size_bytes, media_type)
select encode(sha256(cast(cast(id as text) as bytea)), 'hex'), 20000, 'image/png'
from made_scan
"""

STORED_SCANS = """
insert into scan (id, site_id, acquisition_id, batch_id, kind, slab, image_sha256, width_px, height_px, state,
  assessment_id, human_ordinal, final_verdict, attempts, created_at)
select id, site, capture, visit, 'octa-enface', slab, encode(sha256(cast(cast(id as text) as bytea)), 'hex'), 304, 304,
       case when not is_scored then 'queued'
            when (is_unsure or p >= 0.5) and taken_at > :ends_at - interval '14 days' then 'scored'
            when p >= 0.5 then 'closed_not_possible' else 'accepted' end,
       case when is_scored then id end, case when is_judged then ordinal end,
       case when not is_scored then null when p >= 0.5 then 'reacquire' when is_unsure then 'review' else 'accept' end,
       cast(is_scored as int), taken_at + interval '1 hour'
from made_scan order by id
"""

ASSESSMENTS = """
insert into assessment (id, site_id, scan_id, model_version_id, protocol_version_id, scored_at, seconds, grade_scale,
  grade_ordinal, probabilities, is_abstained, is_octa, faz_area_mm2, centration_offset_mm, centration_severity,
  not_computable, verdict)
select id, site, id, 1, 1, taken_at + interval '2 hours', 0.05, 'coips-3', ordinal,
       jsonb_build_object('ungradable', p, 'gradable', (1 - p) * 0.4, 'outstanding', (1 - p) * 0.6), is_unsure, is_octa,
       case when slab = 'superficial' then 0.2 + (id % 200) / 1000.0 end, 0.1,
       case when is_off_centre then 'severe' else 'none' end, '{}',
       case when p >= 0.5 then 'reacquire' when is_unsure then 'review' else 'accept' end
from made_scan where is_scored order by id
"""

# The program also writes a row for every artifact that is not there; nothing on a page reads those.
FINDINGS = """
insert into assessment_artifact (assessment_id, site_id, type, area_fraction, severity)
select id, site, fault, case when p >= 0.5 then 0.3 else 0.05 end,
       case when p >= 0.5 then 'severe' else 'mild' end
from made_scan where is_scored and (p >= 0.5 or has_mild);
insert into assessment_reason (assessment_id, site_id, rank, code, operator_fixable, text, remedy)
select id, site, 0, case when is_off_centre then 'oscar-mp:C' when fault = 'motion' then 'oscar-mp:M'
       when fault = 'defocus' then 'oscar-mp:O' else 'oscar-mp:S' end, 'yes', 'generated', 'generated'
from made_scan where is_scored and p >= 0.5;
insert into assessment_reason (assessment_id, site_id, rank, code, operator_fixable, text, remedy)
select id, site, 1, 'octaudit:abstained', 'unknown', 'generated', 'generated'
from made_scan where is_scored and is_unsure;
insert into batch_file (site_id, batch_id, original_name, size_bytes, state, entry, problems, scan_id)
select site, visit, id || '.png', 20000, 'accepted', '{}', '[]', id
from made_scan order by id
"""

REQUESTS = """
insert into reacquisition_request (site_id, acquisition_id, scan_id, state, reason_code, text, remedy, due_on,
  requested_by_id, replacement_id, received_at, closed_at, created_at)
select c.site, c.id, s.scan, case when r.id is not null then 'closed' when c.taken_at < :ends_at - interval '40 days'
         then 'not_possible' else 'requested' end,
       case when c.id % 2 = 0 then 'oscar-mp:M' else 'oscar-mp:S' end, 'generated', 'generated',
       cast(c.taken_at as date) + 28, 1, r.id, case when r.id is not null then c.taken_at + interval '8 days' end,
       case when r.id is not null or c.taken_at < :ends_at - interval '40 days' then c.taken_at + interval '9 days' end,
       c.taken_at + interval '1 day'
from made_capture c
join lateral (select min(m.id) as scan from made_scan m where m.capture = c.id and m.p >= 0.5) s on s.scan is not null
left join made_capture r on r.replaces = c.id
where c.replaces is null and c.is_bad and c.taken_at < :ends_at - interval '1 day'
  and (r.id is not null or c.id % 3 = 0)
"""

DECISIONS = """
insert into reacquisition_step (site_id, request_id, number, state, actor_id, created_at)
select site_id, id, 1, 'requested', 1, created_at from reacquisition_request
union all
select site_id, id, 2, state, 1, closed_at from reacquisition_request where closed_at is not null;
update scan set state = 'reacquisition_requested'
from reacquisition_request r where r.scan_id = scan.id and r.state = 'requested';
update scan set state = 'superseded'
from reacquisition_request r where r.scan_id = scan.id and r.state = 'closed';
insert into review (site_id, scan_id, assessment_id, reviewer_id, decision, ordinal, created_at)
select site_id, scan_id, scan_id, 1, 'request_reacquisition', null, created_at
from reacquisition_request;
insert into query_message (site_id, scan_id, author_id, side, act, text, created_at)
select site, id, 1, 'centre', 'question', 'generated', taken_at + interval '2 days'
from made_scan where is_scored and id % 70 = 0;
insert into review (site_id, scan_id, assessment_id, reviewer_id, decision, ordinal, created_at)
select site, id, id, 2, 'override', ordinal, taken_at + interval '2 days'
from made_scan where is_judged;
insert into review (site_id, scan_id, assessment_id, reviewer_id, decision, ordinal, is_masked, created_at)
select site, id, null, g, 'grade', case when (id + g) % 9 = 0 then 1 else ordinal end, true, taken_at + interval
  '3 days'
from made_scan, generate_series(2, 3) g where is_scored and id % 50 = 0
"""

# Graded by two of three people; what is older than a week is settled, but for what waits for the third one.
GRADINGS = """
insert into grading (site_id, scan_id, protocol_version_id, n_graders, state, adjudicator_id, consensus_ordinal,
  settlement, settled_at, created_at)
select site, id, 1, 2, state, case when state = 'to_adjudicate' then 1 end,
       case when state = 'settled' then ordinal end, case when state = 'settled' then 'agreement' end,
       case when state = 'settled' then taken_at + interval '4 days' end, taken_at + interval '2 hours'
from (select *, case when taken_at > :ends_at - interval '7 days' then 'assigned'
                     when id % 400 = 0 then 'to_adjudicate' else 'settled' end as state
      from made_scan where is_scored and id % 50 = 0) drawn order by id;
insert into grading_assignment (site_id, grading_id, scan_id, grader_id, state, due_on, ordinal, done_at, created_at)
select g.site_id, g.id, g.scan_id, r.reviewer_id, 'done', g.created_at + interval '7 days', r.ordinal, r.created_at,
       g.created_at
from grading g join review r on r.scan_id = g.scan_id and r.is_masked order by g.id, r.id;
insert into grading_assignment (site_id, grading_id, scan_id, grader_id, repeat_of_id, state, due_on, ordinal, done_at,
  created_at)
select site_id, grading_id, scan_id, grader_id, id, 'done', due_on + 35, ordinal, done_at + interval '28 days',
       created_at + interval '28 days'
from grading_assignment where id % 10 = 0 order by id;
insert into accepted_check (site_id, scan_id, assessment_id, cause, state, ordinal, checked_by_id, checked_at,
  created_at)
select site, id, id, 'sample', case when is_open then 'open' else 'confirmed' end, case when not is_open then 1 end,
       case when not is_open then 1 end, case when not is_open then taken_at + interval '2 days' end,
       taken_at + interval '2 hours'
from (select *, taken_at > :ends_at - interval '7 days' as is_open from made_scan
      where is_scored and p < 0.5 and not is_unsure and id % 60 = 0) drawn order by id
"""

TRAIL = """
insert into audit_event (happened_at, actor_id, study_id, site_id, action, entity, entity_id, meaning)
select * from (
  select submitted_at as happened_at, uploaded_by_id, 1, site_id, 'batch.submitted', 'batch', id, ''
  from batch
  union all
  select created_at, reviewer_id, 1, site_id, 'scan.' || case when is_masked then 'graded_masked' else decision end,
         'scan', scan_id, ''
  from review
  union all
  select created_at, actor_id, 1, site_id, 'request.' || state, 'reacquisition_request', request_id, ''
  from reacquisition_step
  union all
  select effective_at + g * interval '90 days', 1, 1, cast(null as bigint), 'baseline.sign', 'signed_baseline', g,
         'approved'
  from protocol_version, generate_series(1, 20) g
  union all
  select s.submitted_at - interval '5 minutes', s.uploaded_by_id, cast(null as bigint), cast(null as bigint), 'log_in',
         'session', s.id, ''
  from batch s) happened
order by happened_at
"""
"""In the order in which it was written. Baselines are what is signed; signing in belongs to no study."""

STEPS: tuple[tuple[str, str], ...] = (
    ("places", PLACES),
    ("visits", VISITS),
    ("captures", CAPTURES),
    ("replacements", REPLACEMENTS),
    ("scans", SCANS),
    ("an index for what follows", "create index on made_scan (capture)"),
    ("another", "create index on made_capture (replaces)"),
    ("their statistics", "analyze made_scan, made_capture"),
    ("roster", ROSTER),
    ("acquisitions", ACQUISITIONS),
    ("batches and blobs", BATCHES),
    ("stored scans", STORED_SCANS),
    ("assessments", ASSESSMENTS),
    ("findings", FINDINGS),
    ("requests", REQUESTS),
    ("decisions", DECISIONS),
    ("gradings", GRADINGS),
    ("the audit trail", TRAIL),
)

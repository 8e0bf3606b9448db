from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.intake.manifest import COLUMN_LABELS, COLUMNS, OPTIONAL_COLUMNS, Entry, Roster, check_row
from core.vocabulary import Laterality, ScanKind, Slab

NOW = datetime(2026, 4, 1, 12, 0, tzinfo=UTC)
ROSTER = Roster("DEMO", "S1", ("S1-A", "S1-B"), ("T01",))
GOOD = {
    "file": "a.png", "study": "DEMO", "site": "S1", "subject": "S1-0042", "visit": "V1", "acquisition": "A1",
    "acquired_at": "2026-03-14 09:30", "eye": "OD", "kind": "octa-enface", "slab": "superficial",
    "field_width_mm": "3", "field_height_mm": "3", "device": "S1-A", "technician": "T01",
}  # fmt: skip


def codes(**changes: str) -> list[str]:
    entry, problems = check_row(GOOD | changes, ROSTER, now=NOW)
    assert (entry is None) == bool(problems)
    assert all(problem.message and problem.remedy and problem.is_blocking for problem in problems)
    return [problem.code for problem in problems]


def entry(**changes: str) -> Entry:
    found, problems = check_row(GOOD | changes, ROSTER, now=NOW)
    assert found is not None, problems
    return found


def test_a_good_row_becomes_an_entry():
    good = entry()
    assert (good.eye, good.kind, good.slab) == (Laterality.OD, ScanKind.OCTA_ENFACE, Slab.SUPERFICIAL)
    assert good.acquired_at == datetime(2026, 3, 14, 9, 30, tzinfo=UTC)
    assert (good.field_width_mm, good.replaces, good.age_years) == (3.0, None, None)


@pytest.mark.parametrize("name", [name for name in COLUMNS if name not in OPTIONAL_COLUMNS])
def test_every_required_column_is_missed(name: str):
    _, problems = check_row(GOOD | {name: ""}, ROSTER, now=NOW)
    assert [problem.field for problem in problems] == [name]


@pytest.mark.parametrize("text", ["", "?!", "-1"])
def test_every_fault_speaks_of_columns_by_the_label_that_people_read(text: str):
    every = dict.fromkeys(COLUMNS, text)
    _, problems = check_row(every, ROSTER, now=NOW)
    assert {problem.field for problem in problems} >= {"acquired_at", "subject", "field_width_mm"}
    said = " ".join(f"{problem.message} {problem.remedy}" for problem in problems)
    assert f"“{COLUMN_LABELS['acquired_at']}”" in said
    assert not [name for name in COLUMNS if "_" in name and name in said]


@pytest.mark.parametrize("name", sorted(OPTIONAL_COLUMNS))
def test_no_optional_column_is_missed(name: str):
    assert codes(**{name: ""}) == []


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"eye": "OU"}, ["eye_both"]),
        ({"eye": "X"}, ["eye_invalid"]),
        ({"kind": "photo"}, ["kind_invalid"]),
        ({"slab": "middle"}, ["slab_invalid"]),
        ({"field_width_mm": "three"}, ["not_a_number"]),
        ({"field_width_mm": "0.1"}, ["out_of_range"]),
        ({"field_width_mm": "nan"}, ["not_a_number"]),
        ({"field_width_mm": "unknown"}, ["field_incomplete"]),
        ({"acquired_at": "14.03.2026 09:30"}, ["time_invalid"]),
        ({"acquired_at": "2026-03-14"}, ["time_missing"]),
        ({"acquired_at": "2026-04-03 09:30"}, ["time_in_future"]),
        ({"acquired_at": "2026-04-01T12:30+00:00"}, ["time_in_future"]),
        ({"acquired_at": "1926-03-14 09:30"}, ["time_implausible"]),
        ({"subject": "Smith, John"}, ["not_a_pseudonym"]),
        ({"study": "OTHER"}, ["unknown_study"]),
        ({"site": "S2"}, ["unknown_site"]),
        ({"device": "S2-A"}, ["unknown_device"]),
        ({"technician": "T99"}, ["unknown_technician"]),
        ({"device_quality_name": "SSI"}, ["quality_index_incomplete"]),
        ({"device_quality_value": "60"}, ["quality_index_incomplete"]),
        ({"axial_length_mm": "2.38"}, ["out_of_range"]),
        ({"age_years": "210"}, ["out_of_range"]),
        ({"replaces": "last one"}, ["replaces_invalid"]),
        ({"eye": "OU", "slab": "", "device": "?"}, ["eye_both", "invalid_code", "slab_missing", "unknown_device"]),
    ],
    ids=str,
)
def test_every_fault_is_named(changes: dict[str, str], expected: list[str]):
    assert codes(**changes) == expected


@pytest.mark.parametrize(
    ("changes", "name", "value"),
    [
        ({"eye": "right"}, "eye", Laterality.OD),
        ({"eye": "l"}, "eye", Laterality.OS),
        ({"kind": "OCTA_enface"}, "kind", ScanKind.OCTA_ENFACE),
        ({"slab": "Inner Retina"}, "slab", Slab.INNER_RETINA),
        ({"field_width_mm": "5,8 mm"}, "field_width_mm", 5.8),
        ({"field_width_mm": "unknown", "field_height_mm": "Unknown"}, "field_width_mm", None),
        ({"replaces": "#17"}, "replaces", 17),
        ({"acquired_at": "2026-03-14T09:30+02:00"}, "acquired_at", datetime(2026, 3, 14, 7, 30, tzinfo=UTC)),
        ({"kind": "bscan", "slab": ""}, "slab", None),
    ],
    ids=str,
)
def test_what_people_write_is_understood(changes: dict[str, str], name: str, value: object):
    assert getattr(entry(**changes), name) == value


def test_a_clinic_ahead_of_utc_is_not_told_that_it_lives_in_the_future():
    local = (NOW + timedelta(hours=13)).strftime("%Y-%m-%d %H:%M")
    assert codes(acquired_at=local) == []


def test_braces_in_what_a_person_wrote_are_shown_as_they_are():
    _, (problem,) = check_row(GOOD | {"eye": "{code} {0}"}, ROSTER, now=NOW)
    assert "{code} {0}" in problem.message


@settings(deadline=None)
@given(
    st.dictionaries(st.sampled_from(COLUMNS), st.one_of(st.text(max_size=30), st.none(), st.floats(), st.integers()))
)
def test_nothing_that_can_be_written_into_a_row_raises(changes: dict[str, object]):
    found, problems = check_row(GOOD | changes, ROSTER, now=NOW)
    assert (found is None) == bool(problems)

"""The tables by site and device: worst first, and no judgement on too few."""

from core.charts.dictionaries import GROUP_COLUMNS
from core.store.overview import GroupTally
from core.store.tally import Tally
from dashboard.components.group_table import group_rows, group_table, worst_first


def group(code: str, gradable: int, decided: int, patients: int = 10) -> GroupTally:
    tally = Tally(received=decided, decided=decided, gradable=gradable, final_received=decided, final_gradable=decided)
    return GroupTally(id=hash(code) % 1000, code=code, name=f"Clinic {code}", tally=tally, patients=patients)


def test_the_worst_is_first_and_the_unjudged_are_last():
    groups = [group("good", 95, 100), group("few", 0, 29), group("bad", 40, 100), group("kin", 10, 60, patients=2)]
    assert [each.code for each in worst_first(groups)] == ["bad", "good", "few", "kin"]


def test_thirty_captures_of_three_patients_are_judged():
    assert group("x", 10, 30, patients=3).is_judged
    assert not group("x", 10, 29, patients=3).is_judged
    assert not group("x", 10, 30, patients=2).is_judged


def test_first_pass_and_final_stand_side_by_side_with_their_counts():
    markup = group_table([group("S01", 30, 40)], "site", "Site", {"period": "26w"}, 1.0).text
    assert "30 / 40" in markup
    assert "40 / 40" in markup
    assert "75\u202f%" in markup
    assert "period=26w&amp;site=" in markup
    assert "too few" not in markup


def test_too_few_to_judge_is_said_in_words():
    assert "too few to judge" in group_table([group("S01", 3, 4)], "site", "Site", {}, 1.0).text


def test_a_group_without_anything_has_no_rate():
    markup = group_table([group("S01", 0, 0, patients=0)], "site", "Site", {}, 1.0).text
    assert '<td class="num">–</td>' in markup


def test_counts_lead_to_the_scans_of_the_same_group_and_period():
    markup = group_table([group("S01", 30, 40)], "site", "Site", {"period": "26w", "study": "3"}, 1.0).text
    address = f"/examples?period=26w&amp;study=3&amp;site={hash('S01') % 1000}"
    assert markup.count(address) == 2, "first pass and final"
    assert "/examples" not in group_table([group("S01", 0, 0)], "site", "Site", {}, 1.0).text


def test_the_download_has_every_group_in_the_order_of_the_table():
    rows = group_rows([group("good", 95, 100), group("few", 0, 29), group("bad", 40, 100)], 1.0)
    assert [row["group"] for row in rows] == ["bad", "good", "few"]
    assert set(rows[0]) == set(GROUP_COLUMNS)
    assert (rows[0]["first_pass"], rows[2]["is_judged"]) == (0.4, False)

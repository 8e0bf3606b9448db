"""The recorded comparison of joint and single task is what the page of experiments says."""

from pathlib import Path

from core.training.onh.compare import comparison_table, read_comparison

DOCS = Path(__file__).parents[4] / "docs"


def test_the_table_of_experiments_is_that_of_the_record():
    found = read_comparison(DOCS / "figures" / "onh-tasks.json")
    assert comparison_table(found) in (DOCS / "experiments.md").read_text(encoding="utf-8")
    assert found[0].grouping == "0|1|2|3"
    assert len(found) == 7


def test_every_interval_holds_its_difference():
    for one in read_comparison(DOCS / "figures" / "onh-tasks.json"):
        for low, high in (one.over_seeds, one.over_images):
            assert low <= one.difference <= high
        assert len(one.joint_f1) == len(one.single_f1) == len(one.seeds)

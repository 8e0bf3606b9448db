"""Chosen against random slices: subjects are held out in turn, finished runs are kept, differences are by subject."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from core.cli import main
from core.errors import UsageError
from core.training.progress import Progress
from core.training.qunet.experiment import (
    ARMS,
    CHOSEN,
    HELD_OUT,
    RANDOM,
    RUNS_NAME,
    Outcome,
    Plan,
    held_out_subjects,
    overlap_figures,
    run_experiment,
)
from core.training.qunet.phantoms import write_stacks
from core.training.qunet.recipe import qunet_recipe
from core.training.qunet.run import compare_choices
from core.training.qunet.slices import read_slices
from core.training.qunet.table import CURVE_NAME, TABLE_NAME, sum_up, write_comparison
from core.training.supervised.fit import Machine

TINY = {"image_px": 32, "base_channels": 2, "epochs": 2, "batches_per_epoch": 1, "batch_size": 2}


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    write_stacks(tmp_path / "stacks", n_stacks=2, n_slices=3)
    return Plan(read_slices(tmp_path / "stacks"), qunet_recipe(TINY), Machine(torch.device("cpu")), n_runs=1, share=0.4)


def test_a_run_judges_every_arm_on_images_that_none_trained_on_and_is_not_run_twice(plan: Plan, tmp_path: Path) -> None:
    outcomes = run_experiment(plan, tmp_path / "runs")
    away = held_out_subjects(plan.folder.pictures, 0)
    assert len(away) == 1
    assert {outcome.arm for outcome in outcomes} == set(ARMS)
    assert {outcome.subject for outcome in outcomes if outcome.on == HELD_OUT} == away
    judged = {arm: {(o.on, o.file) for o in outcomes if o.arm == arm} for arm in ARMS}
    assert len({frozenset(files) for files in judged.values()}) == 1
    assert all(0 <= outcome.dice <= 1 for outcome in outcomes)

    with (tmp_path / "runs" / RUNS_NAME).open("a", encoding="utf-8") as file:
        file.write('{"run": 1, "outc')  # killed while it wrote
    assert run_experiment(plan, tmp_path / "runs") == outcomes
    other = Plan(plan.folder, qunet_recipe(TINY | {"epochs": 4}), plan.machine)
    with pytest.raises(UsageError, match="another recipe"):
        run_experiment(other, tmp_path / "runs")


def test_the_command_computes_as_precisely_as_it_is_told_and_keeps_what_it_has_found_after_every_run(
    tmp_path: Path,
) -> None:
    write_stacks(tmp_path / "stacks", n_stacks=2, n_slices=3)
    asked = [
        "train",
        "qunet-tables",
        "--data",
        str(tmp_path / "stacks"),
        "--out",
        str(tmp_path / "out"),
        "--device",
        "cpu",
    ]
    small = [text for key, value in (TINY | {"share": 0.4}).items() for text in ("--set", f"{key}={value}")]
    done = CliRunner().invoke(main, [*asked, "--seeds", "2", "--precision", "bf16", *small], catch_exceptions=False)
    assert "2 runs, 2 subjects" in done.output
    assert json.loads((tmp_path / "out" / RUNS_NAME).read_text("utf-8").splitlines()[0])["plan"]["precision"] == "bf16"
    with pytest.raises(UsageError, match="another recipe"):  # half the bits are another comparison
        compare_choices(TINY | {"share": 0.4}, tmp_path / "stacks", tmp_path / "out", n_runs=2, device="cpu")

    (tmp_path / "out" / TABLE_NAME).unlink()

    def stop(progress: Progress) -> None:
        if progress.done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compare_choices(
            TINY | {"share": 0.4}, tmp_path / "stacks", tmp_path / "out", n_runs=4, device="cpu", precision="bf16",
            report=lambda progress: stop(progress) if progress.stage == "Runs" else None,
        )  # fmt: skip
    assert json.loads((tmp_path / "out" / TABLE_NAME).read_text("utf-8"))["n_runs"] == 3


def outcome(arm: str, dice: float, *, run: int, file: str, subject: str) -> Outcome:
    return Outcome(run, arm, 3, 10, HELD_OUT, file, subject, dice, dice, dice, dice, dice)


def test_differences_are_paired_by_run_and_image_and_their_interval_counts_subjects(tmp_path: Path) -> None:
    outcomes = [
        outcome(arm, 0.5 + 0.1 * (arm == CHOSEN) + 0.01 * run, run=run, file=f"{subject}{n}", subject=subject)
        for arm in (CHOSEN, RANDOM)
        for run in range(2)
        for subject in "abcd"
        for n in range(3)
    ]
    comparison = sum_up(outcomes)
    (difference,) = comparison.differences
    assert (round(difference.value, 6), round(difference.low, 6)) == (0.1, 0.1)
    assert "keeps the margin" in difference.words
    assert (comparison.n_runs, comparison.n_subjects) == (2, 4)
    write_comparison(comparison, tmp_path)
    assert (tmp_path / TABLE_NAME).is_file()
    assert (tmp_path / CURVE_NAME).read_bytes().startswith(b"\x89PNG")


def test_overlap_counts_classes_that_are_there_or_found_and_no_others() -> None:
    truth = np.array([[0, 1, 1, 2]], np.uint8)
    found = np.array([[0, 1, 3, 2]], np.uint8)
    dice, jaccard, precision, recall, accuracy = overlap_figures(found, truth, 5)
    assert dice == pytest.approx((2 / 3 + 1 + 0) / 3)
    assert jaccard == pytest.approx((1 / 2 + 1 + 0) / 3)
    assert (precision, recall, accuracy) == pytest.approx(((1 + 1 + 0) / 3, (1 / 2 + 1 + 0) / 3, 0.75))


def test_stacks_of_one_subject_cannot_be_compared(tmp_path: Path) -> None:
    write_stacks(tmp_path / "one", n_stacks=1, n_slices=2)
    alone = Plan(read_slices(tmp_path / "one"), qunet_recipe(TINY), Machine(torch.device("cpu")))
    with pytest.raises(UsageError, match="at least two subjects"):
        run_experiment(alone, tmp_path / "runs")

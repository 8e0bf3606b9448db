"""A training killed without warning (SIGKILL) goes on with --resume and ends in the same weights."""

import signal
import subprocess
import sys
import time

import pytest
import torch
from safetensors.torch import load_file

ARGUMENTS = (
    "--backbone", "test_resnet", "--image-size", "64", "--batch-size", "6", "--epochs", "12", "--device", "cpu",
    "--set", "trained_layers=all", "--set", "patience=none",
)  # fmt: skip


def train(folder, out, *more):
    return subprocess.Popen(
        [sys.executable, "-m", "core.cli", "train", "coips-quality", "--data", str(folder), "--out", str(out), *ARGUMENTS, *more],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip


@pytest.mark.slow
def test_a_killed_training_ends_in_the_same_weights(graded_folder, tmp_path):
    assert train(graded_folder, tmp_path / "whole").wait(240) == 0
    killed = train(graded_folder, tmp_path / "killed")
    until = time.monotonic() + 120
    while not (tmp_path / "killed" / "checkpoint.safetensors").is_file() and time.monotonic() < until:
        time.sleep(0.02)
    killed.send_signal(signal.SIGKILL)
    assert killed.wait(30) == -signal.SIGKILL
    assert not (tmp_path / "killed" / "coips-quality.safetensors").exists()
    assert train(graded_folder, tmp_path / "killed", "--resume").wait(240) == 0
    whole, resumed = (load_file(tmp_path / name / "coips-quality.safetensors") for name in ("whole", "killed"))
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
    assert (tmp_path / "whole" / "metrics.csv").read_text() == (tmp_path / "killed" / "metrics.csv").read_text()

"""Measures a volume: seconds, processor time and memory from its B-scans to layers, thickness map and sectors."""

import os
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
from pydantic import BaseModel, ConfigDict

from core.errors import ScoringError
from core.phantom.volume import N_BSCANS, random_volume_spec, render_volume
from core.scoring.contract import ScanFailure, ScanInput, Scorer
from core.scoring.device_use import process_use
from core.scoring.lanes.volume import VolumeFindings
from core.volume import OctVolume

MOST_SECONDS = 20.0
"""Asked of N_BSCANS B-scans on two cores, segmentation and thickness."""
MOST_GB = 1.5
_SEED = 3
_BYTES_PER_GB = 1e9


class VolumeFigures(BaseModel):
    """Medians over the rounds; memory is the most that the scoring process ever held, its model included."""

    model_config = ConfigDict(frozen=True)

    n_bscans: int
    height_px: int
    width_px: int
    n_rounds: int
    device: str
    weights_sha256: str
    wall_s: float
    """From B-scans in memory to the lane's findings, maps and label maps; loading the model is not counted."""
    processor_s: float
    """The same in seconds of all cores together: what a busy machine does not lengthen as much."""
    peak_resident_gb: float
    n_cores: int
    load_average: float
    """Of the last minute when it ended, the measurement itself included: above the cores others took their share."""

    @property
    def is_met(self) -> bool:
        """Whether both limits are kept."""
        return self.wall_s <= MOST_SECONDS and self.peak_resident_gb <= MOST_GB


class _Rounds(BaseModel):
    wall_s: list[float]
    processor_s: list[float]
    peak_bytes: int
    weights_sha256: str


def measure_volume(
    load: Callable[[], Scorer], *, n_rounds: int = 3, n_bscans: int = N_BSCANS, width_px: int = 512, device: str = "cpu"
) -> VolumeFigures:
    """Score a drawn volume ``n_rounds`` times in a process of its own, after a single B-scan that is not counted.

    ``load`` loads the lane's scorer there, so it can be pickled; ``device`` is what the figures say of it. The process
    inherits the peak memory of this one, which draws the volume and loads no network.
    """
    spec = random_volume_spec(np.random.default_rng(_SEED), width_px=width_px, n_bscans=n_bscans)
    volume = render_volume(spec, _SEED).volume
    with ProcessPoolExecutor(1, get_context("spawn")) as process:
        found = process.submit(_score_rounds, volume, n_rounds, load).result()
    return VolumeFigures(
        n_bscans=volume.n_bscans,
        height_px=volume.height_px,
        width_px=volume.width_px,
        n_rounds=n_rounds,
        device=device,
        weights_sha256=found.weights_sha256,
        wall_s=round(statistics.median(found.wall_s), 2),
        processor_s=round(statistics.median(found.processor_s), 2),
        peak_resident_gb=round(found.peak_bytes / _BYTES_PER_GB, 3),
        n_cores=os.cpu_count() or 1,
        load_average=round(os.getloadavg()[0], 1),
    )


def _score_rounds(volume: OctVolume, n_rounds: int, load: Callable[[], Scorer]) -> _Rounds:
    """In a process of its own."""
    scorer = load()
    scorer.score([ScanInput("first", volume.central_bscan, None)])  # threads and kernels are made
    wall_s, processor_s = [], []
    for _ in range(n_rounds):
        began, used = time.perf_counter(), time.process_time()
        (scores,) = scorer.score([ScanInput("volume", volume.central_bscan, None, volume=volume)])
        if isinstance(scores, ScanFailure):
            raise ScoringError(scores.message, remedy="Run octaudit doctor; report this.")
        assert isinstance(scores.findings, VolumeFindings), "the lane's own"
        scores.findings.document()
        scores.findings.pictures()
        scores.findings.exports()
        wall_s.append(time.perf_counter() - began)
        processor_s.append(time.process_time() - used)
    return _Rounds(
        wall_s=wall_s,
        processor_s=processor_s,
        peak_bytes=process_use().held_bytes,
        weights_sha256=scorer.identity.weights_sha256,
    )


def volume_table(figures: VolumeFigures) -> str:
    """The figures beside what is asked, as the table of the documentation."""
    size = f"{figures.n_bscans} B-scans of {figures.height_px} × {figures.width_px}"
    beside = f"{figures.n_cores} cores, load average {figures.load_average:.1f}"
    rows = (
        (f"{size}, segmentation and thickness", f"at most {MOST_SECONDS:g} s", f"{figures.wall_s:.1f} s",
         figures.wall_s <= MOST_SECONDS),
        ("the same, largest memory of the process", f"at most {MOST_GB:g} GB", f"{figures.peak_resident_gb:.2f} GB",
         figures.peak_resident_gb <= MOST_GB),
    )  # fmt: skip
    lines = [f"| asked | limit | reached ({beside}) | met |", "|---|---|---|---|"]
    lines += [f"| {what} | {limit} | {reached} | {'yes' if met else '**no**'} |" for what, limit, reached, met in rows]
    lines.append(f"| seconds of processor, all cores | | {figures.processor_s:.1f} s | |")
    return "\n".join(lines)

"""Scores image files into records, masks and Grad-CAMs without a database; reading, scoring and writing overlap."""

import hashlib
import json
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from core.errors import UnreadableScanError
from core.policy.judge import ScanContext, judge
from core.policy.protocol import Protocol
from core.policy.scan_types import scan_type
from core.scoring.acceptance import unseen_codes
from core.scoring.contract import ScanFailure, ScanInput, Scorer, batch_limit
from core.scoring.pictures import encode_cam, encode_mask
from core.scoring.record import PicturePaths, failure_record, score_record
from core.usecases.collect_files import FileToScore
from core.usecases.fit_to_protocol import fit_to_protocol
from core.usecases.read_to_score import read_to_score
from core.values import NotComputable, OctaFindings, Scale, ScanScores
from core.vocabulary import ScaleSource
from core.volume import OctVolume

RESULTS_NAME = "results.jsonl"
N_ERRORS_TOLD = 5
"""Of the files that could not be scored, so many are told of at the end; the results hold all."""

_READERS, _WRITERS = 2, 2
_BATCHES_IN_FLIGHT = 2
"""Batches read ahead, and batches waiting to be written: enough to overlap, and memory stays flat."""

Record = dict[str, Any]


def _nobody(_: int) -> None:
    return None


@dataclass(frozen=True, slots=True)
class ScoreRun:
    """How to score: the model, where to, and by which protocol. ``on_done`` is told the number of files done."""

    scorer: Scorer
    out: Path
    protocol: Protocol
    batch_size: int
    max_megapixels: float
    release_faz: bool = False
    on_done: Callable[[int], None] = _nobody


@dataclass(frozen=True, slots=True)
class ScoreTally:
    """How many files were scored and how many could not be.

    Attributes
    ----------
    verdicts : number of scored files by verdict
    first_errors : records of the first files that could not be scored, at most N_ERRORS_TOLD
    """

    n_scored: int
    n_failed: int
    verdicts: Mapping[str, int]
    first_errors: Sequence[Record]


@dataclass(frozen=True, slots=True)
class _ReadFile:
    file: FileToScore
    stem: str
    sha256: str = ""
    image: NDArray[np.uint8] | None = None
    volume: OctVolume | None = None
    fault: Record | None = None

    @property
    def scale(self) -> Scale | None:
        """Of a volume that of its B-scans, width by depth; its field is measured on the fundus, across them."""
        if self.volume is not None:
            x_mm, z_mm = self.volume.x_mm_per_px, self.volume.z_mm_per_px
            return None if x_mm is None or z_mm is None else Scale(x_mm, z_mm, ScaleSource.FILE)
        if self.file.field_mm is None or self.image is None:
            return None
        height, width = self.image.shape
        return Scale.of_field(*self.file.field_mm, width, height, self.file.scale_source)


@dataclass(slots=True)
class _Results:
    """Writes records in input order as they become ready."""

    lines: TextIO
    on_done: Callable[[int], None]
    waiting: deque[Future[Record]] = field(default_factory=deque)
    n_scored: int = 0
    n_failed: int = 0
    verdicts: Counter[str] = field(default_factory=Counter)
    first_errors: list[Record] = field(default_factory=list)

    def settle(self, *, keep: int) -> None:
        """Write what is ready at the head; wait until at most ``keep`` records are outstanding."""
        while self.waiting and (len(self.waiting) > keep or self.waiting[0].done()):
            record = self.waiting.popleft().result()
            self.lines.write(json.dumps(record, ensure_ascii=False, allow_nan=False) + "\n")
            self.lines.flush()
            self._count(record)
            self.on_done(self.n_scored + self.n_failed)

    def _count(self, record: Record) -> None:
        if "error" not in record:
            self.n_scored += 1
            self.verdicts[record["verdict"]] += 1
            return
        self.n_failed += 1
        if len(self.first_errors) < N_ERRORS_TOLD:
            self.first_errors.append(record)


def score_files(files: Sequence[FileToScore], run: ScoreRun) -> ScoreTally:
    """Score every file; one record per file, in their order, in ``run.out``/results.jsonl.

    A file that cannot be read or scored gets an error record and takes no other with it.
    """
    for folder in ("masks", "cam"):
        (run.out / folder).mkdir(parents=True, exist_ok=True)
    size = batch_limit(run.scorer.kind, run.batch_size)
    ahead = _BATCHES_IN_FLIGHT * size
    with (
        ThreadPoolExecutor(_READERS) as readers,
        ThreadPoolExecutor(_WRITERS) as writers,
        (run.out / RESULTS_NAME).open("w", encoding="utf-8") as lines,
    ):
        results = _Results(lines, run.on_done)
        for batch in _batches(_read_ahead(files, run, readers, ahead), size):
            for read, result in zip(batch, _scored(batch, run.scorer), strict=True):
                results.waiting.append(writers.submit(_written, read, result, run))
            results.settle(keep=ahead)
        results.settle(keep=0)
    return ScoreTally(results.n_scored, results.n_failed, results.verdicts, results.first_errors)


def _read_ahead(
    files: Sequence[FileToScore], run: ScoreRun, readers: ThreadPoolExecutor, ahead: int
) -> Iterator[_ReadFile]:
    """The files decoded in their order, at most ``ahead`` of them before they are taken."""
    reading: deque[Future[_ReadFile]] = deque()
    for file, stem in zip(files, unique_stems([file.name for file in files]), strict=True):
        reading.append(readers.submit(_read, file, stem, run))
        if len(reading) > ahead:
            yield reading.popleft().result()
    while reading:
        yield reading.popleft().result()


def _read(file: FileToScore, stem: str, run: ScoreRun) -> _ReadFile:
    try:
        with file.path.open("rb") as opened:
            digest = hashlib.file_digest(opened, "sha256").hexdigest()
        pixels = read_to_score(file, run.scorer.kind, max_megapixels=run.max_megapixels)
        return _ReadFile(pixels.file, stem, digest, pixels.image, pixels.volume)
    except UnreadableScanError as error:
        fault = failure_record(file.name, code=error.code, message=error.message, remedy=error.remedy)
    except OSError as error:
        message = f"The file cannot be read: {error.strerror or error}."
        fault = failure_record(file.name, code="unreadable_file", message=message, remedy="Check its permissions.")
    return _ReadFile(file, stem, fault=fault)


def _batches(items: Iterator[_ReadFile], size: int) -> Iterator[list[_ReadFile]]:
    batch: list[_ReadFile] = []
    for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def _scored(batch: Sequence[_ReadFile], scorer: Scorer) -> list[ScanScores | ScanFailure | None]:
    """The scorer's result for each file of the batch; None for those that could not be read."""
    inputs = [
        ScanInput(read.stem, read.image, read.scale, read.file.slab, read.file.laterality, read.volume)
        for read in batch
        if read.image is not None
    ]
    results = iter(scorer.score(inputs) if inputs else [])
    return [None if read.image is None else next(results) for read in batch]


def _written(read: _ReadFile, result: ScanScores | ScanFailure | None, run: ScoreRun) -> Record:
    """Write a scan's pictures and return its record."""
    if result is None:
        assert read.fault is not None
        return read.fault
    if isinstance(result, ScanFailure):
        remedy = "Score it again with a smaller --batch-size." if result.is_transient else "Check the image."
        return failure_record(read.file.name, code="not_scored", message=result.message, remedy=remedy)
    calibration = run.scorer.calibration
    scores = fit_to_protocol(result, run.protocol, read.scale, calibration)
    width_mm, height_mm = read.file.field_mm or (None, None)
    context = ScanContext(
        scale=read.scale,
        slab=read.file.slab,
        laterality=read.file.laterality,
        scan_type=scan_type(run.scorer.kind, width_mm, height_mm),
        unseen=unseen_codes(calibration, slab=read.file.slab, field_mm=read.file.field_mm),
    )
    return score_record(
        scores,
        judge(scores, run.protocol, context),
        _write_pictures(scores, read.stem, run.out),
        file=read.file.name,
        sha256=read.sha256,
        kind=run.scorer.kind,
        scale=read.scale,
        release_faz=run.release_faz,
    )


def _write_pictures(scores: ScanScores, stem: str, out: Path) -> PicturePaths:
    """Masks and Grad-CAM as PNG of the scan's own size; a picture left there by an earlier run is replaced."""
    masks = {artifact.type: f"masks/{stem}.{artifact.type.value}.png" for artifact in scores.artifacts}
    for artifact in scores.artifacts:
        (out / masks[artifact.type]).write_bytes(encode_mask(artifact.mask))
    findings, faz = scores.findings, None
    files: dict[str, bytes] = {}
    if isinstance(findings, OctaFindings):
        faz = f"masks/{stem}.faz.png"
        (out / faz).write_bytes(encode_mask(findings.faz_mask))
    else:
        files = findings.pictures() | findings.exports()
    of_lane = {name: f"masks/{stem}.{name}" for name in files}
    for name, content in files.items():
        (out / of_lane[name]).write_bytes(content)
    cam: str | None = f"cam/{stem}.png"
    if isinstance(scores.cam, NotComputable):
        (out / f"cam/{stem}.png").unlink(missing_ok=True)
        cam = None
    else:
        (out / f"cam/{stem}.png").write_bytes(encode_cam(scores.cam))
    return PicturePaths(masks, faz, cam, of_lane)


def unique_stems(names: Sequence[str]) -> list[str]:
    """A file stem for each name, distinct even on a file system that ignores case: a, a-2, sub_b, ..."""
    taken: set[str] = set()
    stems = []
    for name in names:
        base = Path(name).with_suffix("").as_posix().replace("/", "_").replace("\\", "_")
        stem, count = base, 1
        while stem.casefold() in taken:
            count += 1
            stem = f"{base}-{count}"
        taken.add(stem.casefold())
        stems.append(stem)
    return stems

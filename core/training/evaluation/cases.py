"""What the product's scorer says of labelled images, phantoms and strangers, beside the truth: one case per image."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from core.errors import UsageError
from core.measures.faz import faz_component
from core.phantom.octa import render_octa
from core.phantom.spec import OctaPhantom, random_spec
from core.scoring.contract import ScanFailure, ScanInput, Scorer
from core.statistics.overlap import MaskOverlap, mask_overlap
from core.training.bank import artifact_grade
from core.training.folder import Reading
from core.training.splits import SplitImage
from core.training.strangers import HELD_OUT_PHOTOGRAPHS, blank, fundus, gradient, layers, noise, photograph, text
from core.values import ScanScores
from core.vocabulary import OCTA_ARTIFACTS, ArtifactType, CoipsGrade, Severity

BATCH = 16

PHANTOM_STREAM, STRANGER_STREAM = 2, 3
"""Second words of the seeds; training phantoms use stream 1."""

PHANTOM_SET = "phantoms"
DRAWN_FAMILIES = (blank, noise, gradient, text, fundus, layers)


@dataclass(frozen=True, slots=True)
class Zone:
    """A FAZ as drawn and as found, with what it looks like; masks bool (height, width)."""

    image: NDArray[np.uint8]
    truth: NDArray[np.bool_]
    found: NDArray[np.bool_]
    overlap: MaskOverlap
    mm_per_px: float | None
    """None: the field is not known, so there are no millimetres."""

    @property
    def area_mm2(self) -> tuple[float, float] | None:
        """Area found and area drawn; None without a scale."""
        if self.mm_per_px is None:
            return None
        pixel = self.mm_per_px**2
        return float(self.found.sum()) * pixel, float(self.truth.sum()) * pixel


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the model said of the whole image."""

    probabilities: NDArray[np.float64]  # (3,), calibrated
    ordinal: int
    abstained: bool
    is_octa: bool
    severities: dict[ArtifactType, int]
    area_fractions: dict[ArtifactType, float]


@dataclass(frozen=True, slots=True)
class Case:
    """One image: truth (None where nobody labelled it) and what the model said."""

    key: str
    set: str
    source: str
    slab: str
    field_mm: float | None
    group: str
    is_octa: bool
    said: Verdict
    grade: CoipsGrade | None = None
    severities: dict[ArtifactType, int] | None = None
    readings: tuple[Reading, Reading] | None = None
    image: NDArray[np.uint8] | None = None
    """Kept where the grade is judged: the worst cases are shown."""
    zone: Zone | None = None
    artifact_overlaps: dict[ArtifactType, MaskOverlap] = field(default_factory=dict)
    """Phantoms only: nobody drew the artifacts of a real scan."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """An image to score and how to make a case of the result."""

    scan: ScanInput
    conclude: Callable[[ScanScores], Case]


def image_cases(scorer: Scorer, images: Sequence[SplitImage]) -> list[Case]:
    """A case per image of a training folder, at the image's own size."""
    return list(_judged(scorer, (_asked_of_image(item) for item in images)))


def phantom_cases(scorer: Scorer, phantoms: Iterable[OctaPhantom]) -> list[Case]:
    """A case per phantom, with the overlap of every artifact's mask."""
    return list(_judged(scorer, (_asked_of_phantom(index, phantom) for index, phantom in enumerate(phantoms))))


def stranger_cases(scorer: Scorer, *, n_drawn: int, seed: int) -> list[Case]:
    """A case per held-out photograph and per drawn picture, ``n_drawn`` in all over the families."""
    return list(_judged(scorer, _asked_of_strangers(n_drawn, seed)))


def evaluation_phantoms(count: int, *, seed: int) -> Iterator[OctaPhantom]:
    """Phantoms that no training ever renders."""
    for index in range(count):
        rng = np.random.default_rng([seed, PHANTOM_STREAM, index])
        yield render_octa(random_spec(rng), int(rng.integers(2**31)))


def _judged(scorer: Scorer, asked: Iterable[_Asked]) -> Iterator[Case]:
    remaining = iter(asked)
    while batch := list(islice(remaining, BATCH)):
        for one, result in zip(batch, scorer.score([one.scan for one in batch]), strict=True):
            if isinstance(result, ScanFailure):
                # A model that fails on a labelled image must not look better for it.
                raise UsageError(
                    f"{result.key} could not be scored: {result.message}",
                    remedy="Take the image out of the folder, or evaluate another model.",
                )
            yield one.conclude(result)


def _asked_of_image(item: SplitImage) -> _Asked:
    labelled = item.image
    pixels, drawn = labelled.pixels(), labelled.faz()

    def conclude(scores: ScanScores) -> Case:
        mm_per_px = None if labelled.field_mm is None else labelled.field_mm / pixels.shape[1]
        return Case(
            key=labelled.key,
            set=labelled.key.split("/")[0],
            source=labelled.source,
            slab=labelled.slab,
            field_mm=labelled.field_mm,
            group=item.group,
            is_octa=labelled.is_octa,
            said=_verdict(scores),
            grade=labelled.grade,
            severities=labelled.severities,
            readings=labelled.readings,
            image=None if labelled.grade is None else pixels,
            zone=None if drawn is None else _zone(pixels, drawn, scores.octa.faz_mask, mm_per_px),
        )

    return _Asked(ScanInput(labelled.key, pixels, None), conclude)


def _asked_of_phantom(index: int, phantom: OctaPhantom) -> _Asked:
    spec = phantom.spec

    def conclude(scores: ScanScores) -> Case:
        masks = {artifact.type: artifact.mask for artifact in scores.artifacts}
        mm_per_px = spec.field_mm / spec.size_px
        return Case(
            key=f"{PHANTOM_SET}/{index}",
            set=PHANTOM_SET,
            source="phantom",
            slab=spec.slab.value,
            field_mm=spec.field_mm,
            group=str(index),
            is_octa=True,
            said=_verdict(scores),
            grade=artifact_grade(phantom),
            severities={kind: list(Severity).index(found) for kind, found in phantom.severities.items()},
            zone=_zone(phantom.image, phantom.faz_mask, scores.octa.faz_mask, mm_per_px) if spec.has_faz else None,
            artifact_overlaps={
                kind: mask_overlap(masks[kind], phantom.artifact_masks[kind]) for kind in OCTA_ARTIFACTS
            },
        )

    return _Asked(ScanInput(str(index), phantom.image, None), conclude)


def _asked_of_strangers(n_drawn: int, seed: int) -> Iterator[_Asked]:
    rng = np.random.default_rng([seed, STRANGER_STREAM])
    for name in HELD_OUT_PHOTOGRAPHS:
        yield _asked_of_stranger("photographs", name, photograph(name))
    for index in range(n_drawn):
        family = DRAWN_FAMILIES[index % len(DRAWN_FAMILIES)]
        yield _asked_of_stranger(f"drawn {family.__name__}", str(index), family(rng))


def _asked_of_stranger(kind: str, name: str, pixels: NDArray[np.uint8]) -> _Asked:
    key = f"{kind}/{name}"

    def conclude(scores: ScanScores) -> Case:
        return Case(key, kind, kind, "unknown", None, key, is_octa=False, said=_verdict(scores))

    return _Asked(ScanInput(key, pixels, None), conclude)


def _zone(
    image: NDArray[np.uint8], drawn: NDArray[np.bool_], found: NDArray[np.bool_], mm_per_px: float | None
) -> Zone:
    # Some drawn masks hold specks of a few pixels beside the zone; the product measures one zone, so does the truth.
    truth = faz_component(drawn)
    return Zone(image, truth, found, mask_overlap(found, truth), mm_per_px)


def _verdict(scores: ScanScores) -> Verdict:
    labels = [grade.name.lower() for grade in CoipsGrade]
    return Verdict(
        probabilities=np.array([scores.grade.probabilities[label] for label in labels], np.float64),
        ordinal=scores.grade.ordinal,
        abstained=scores.grade.abstained,
        is_octa=scores.is_of_kind,
        severities={artifact.type: list(Severity).index(artifact.severity) for artifact in scores.artifacts},
        area_fractions={artifact.type: artifact.area_fraction for artifact in scores.artifacts},
    )

"""A lane for tests: scans whose first pixel says what a scorer should make of them, and a scorer that obeys.

Deterministic and without torch, so that the queue, the worker and the counts are tested, not a network. The scorer is
a fake at the protocol core.scoring.contract.Scorer; everything around it is real.
"""

import os
import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from builders import (
    make_acquisition,
    make_batch,
    make_blob,
    make_device,
    make_protocol_version,
    make_scan,
    make_site,
    make_study,
    unique,
)
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from core.database import tables
from core.intake.canonical import encode_image
from core.policy.protocol import Protocol
from core.scoring.card import Calibration
from core.scoring.contract import ScanFailure, ScanInput
from core.storage import BlobStore
from core.values import (
    ArtifactScore,
    Centration,
    FazMetrics,
    Grade,
    ImageIndices,
    Measured,
    ModelIdentity,
    NotComputable,
    OctaFindings,
    ScanScores,
    VesselMetrics,
)
from core.vocabulary import ArtifactType, CoipsGrade, GradeScale, ScanKind, Severity, Slab

SIZE_PX = 16
UNGRADABLE, GRADABLE, OUTSTANDING = 0, 1, 2
ABSTAINED = 10
"""Added to a grade: the model declines to decide."""
KILLS_ITS_WORKER = 200
FAILS_FOR_NOW = 201
FAILS_FOR_GOOD = 202
BREAKS_THE_MODEL = 203
CANNOT_BE_STORED = 204

MEASURED_FAZ = FazMetrics(
    Measured(0.3), Measured(2.1), Measured(1.1), Measured(0.8), Measured(1.0), touches_border=False
)
VESSELS = VesselMetrics(
    NotComputable("the model has no large-vessel head"), Measured(45.0), Measured(20.0), Measured(50.0)
)
IDENTITY = ModelIdentity(name="obedient", version="1", weights_sha256="0" * 64, preprocessing="none")


@dataclass
class ObedientScorer:
    """Makes of each scan what its first pixel says; remembers what it was asked, in ``batches``."""

    delay_s: float = 0.0
    own_calibration: Calibration | None = None
    own_identity: ModelIdentity = IDENTITY
    always: int | None = None
    """The grade of every scan, whatever its first pixel says."""
    batches: list[list[int]] = field(default_factory=list)

    @property
    def kind(self) -> ScanKind:
        return ScanKind.OCTA_ENFACE

    @property
    def identity(self) -> ModelIdentity:
        return self.own_identity

    @property
    def calibration(self) -> Calibration | None:
        return self.own_calibration

    def score(self, scans: Sequence[ScanInput]) -> list[ScanScores | ScanFailure]:
        self.batches.append([int(scan.key) for scan in scans])
        time.sleep(self.delay_s)
        return [obey(scan) if self.always is None else scores_with(self.always, key=scan.key) for scan in scans]


def identity_of(card: Mapping[str, Any]) -> ModelIdentity:
    """The identity that a model card states."""
    return ModelIdentity(card["name"], card["version"], card["weights_sha256"], card["preprocessing"])


def obey(scan: ScanInput) -> ScanScores | ScanFailure:
    order = int(scan.image[0, 0])
    if order == KILLS_ITS_WORKER:
        os.kill(os.getpid(), signal.SIGKILL)
    if order == BREAKS_THE_MODEL:
        raise RuntimeError("the model is broken")
    if order in {FAILS_FOR_NOW, FAILS_FOR_GOOD}:
        return ScanFailure(scan.key, "told to fail", is_transient=order == FAILS_FOR_NOW)
    return scores_with(order % ABSTAINED, is_abstained=order >= ABSTAINED, key=scan.key)


def scores_with(ordinal: int, *, is_abstained: bool = False, key: str = "1") -> ScanScores:
    """Scores that the default protocol accepts where the grade is good, and sends back for motion where it is not."""
    mask = np.zeros((SIZE_PX, SIZE_PX), np.bool_)
    mask[4:12, 4:12] = ordinal == UNGRADABLE
    share = float(mask.mean())
    motion = ArtifactScore(ArtifactType.MOTION, share, share, Severity.SEVERE if share else Severity.NONE, mask)
    faz_mask = np.zeros((SIZE_PX, SIZE_PX), np.bool_)
    faz_mask[6:10, 6:10] = True
    return ScanScores(
        key=key,
        shape_px=(SIZE_PX, SIZE_PX),
        grade=Grade(
            scale=GradeScale.COIPS_3,
            ordinal=ordinal,
            label=CoipsGrade(ordinal).name.lower(),
            probabilities={grade.name.lower(): 0.8 if grade == ordinal else 0.1 for grade in CoipsGrade},
            abstained=is_abstained,
        ),
        artifacts=(motion,),
        centration=Centration(Measured(0.0), Measured(0.0), Severity.NONE),
        findings=OctaFindings(faz_mask, MEASURED_FAZ, VESSELS),
        indices=ImageIndices(
            Measured(0.1), Measured(3.0), Measured(12.0), Measured(90.0), NotComputable("no deep-supervision head")
        ),
        cam=np.linspace(0, 1, SIZE_PX * SIZE_PX, dtype=np.float32).reshape(SIZE_PX, SIZE_PX),
        cam_mask_agreement=Measured(0.9),
        is_of_kind=True,
        model=IDENTITY,
        seconds=0.01,
    )


@dataclass(frozen=True)
class Scene:
    """A study with one site and device, where scans are queued."""

    study: tables.Study
    site: tables.Site
    device: tables.Device
    batch: tables.Batch
    blobs: BlobStore


def make_scene(session: Session, blobs: BlobStore, protocol: Protocol | None = None) -> Scene:
    study = make_study(session)
    document = (protocol or Protocol.default()).model_dump(mode="json")
    make_protocol_version(session, study, document=document)
    site = make_site(session, study)
    return Scene(study, site, make_device(session, site), make_batch(session, site), blobs)


def queue_scan(
    session: Session,
    scene: Scene,
    order: int,
    *,
    acquisition: tables.Acquisition | None = None,
    slab: Slab = Slab.SUPERFICIAL,
    **changes: object,
) -> tables.Scan:
    """A queued scan of which the scorer will make what ``order`` says; a new capture unless one is given."""
    acquisition = acquisition or make_acquisition(session, scene.site, device=scene.device)
    data = encode_image(picture(order))
    if order != CANNOT_BE_STORED:
        scene.blobs.put(data)
    return make_scan(
        session,
        scene.site,
        acquisition=acquisition,
        batch=scene.batch,
        blob=make_blob(session, data),
        slab=slab.value,
        width_px=SIZE_PX,
        height_px=SIZE_PX,
        **changes,
    )


def picture(order: int) -> NDArray[np.uint8]:
    """An image that carries an order in its first pixel and is like no other."""
    image = np.zeros((SIZE_PX, SIZE_PX), np.uint8)
    number = int(unique(""))
    image.flat[1:5] = list(number.to_bytes(4, "big"))
    image[0, 0] = order
    return image

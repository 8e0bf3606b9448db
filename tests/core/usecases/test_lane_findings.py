"""What only one lane says of a scan is judged, stored, served and judged again like everything else."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest
from lane import OUTSTANDING, UNGRADABLE, ObedientScorer, Scene, make_scene, queue_scan
from sqlalchemy import select

from core.clock import now
from core.database.session import Database, session_scope
from core.database.tables import Assessment, AssessmentPicture, Scan
from core.errors import UsageError
from core.scoring.contract import ScanFailure, ScanInput
from core.settings import Settings
from core.storage import BlobStore, open_blob_store
from core.store.scan_image import read_scan_images
from core.store.scan_view import read_scan
from core.store.stored_scores import read_scores
from core.store.unused import delete_unused_blobs
from core.usecases.assess_scans import Line, assess_scans
from core.usecases.review_scan import known_ordinal
from core.values import ScanScores
from core.vocabulary import GRADES_OF_SCALE, SCALE_OF_KIND, ReasonCode, ScanKind, Verdict
from core.wording import grade_names

DOCUMENT = {"class": {"normal": 0.1, "drusen": 0.9}, "lesions": [{"name": "drusen", "mask": "lesion.png"}]}
PICTURES = {"lesion.png": b"\x89PNG a lesion", "thickness.npy": b"\x93NUMPY a map"}


@dataclass(frozen=True)
class StructuralFindings:
    doubts: tuple[ReasonCode, ...] = ()
    causes: tuple[ReasonCode, ...] = ()

    def document(self) -> dict[str, Any]:
        return DOCUMENT

    def pictures(self) -> dict[str, bytes]:
        return PICTURES

    def exports(self) -> dict[str, bytes]:
        return {}


class StructuralScorer(ObedientScorer):
    """As told by the first pixel; a scan that is not usable has a weak signal, and of every scan one thing is doubted."""

    def score(self, scans: Sequence[ScanInput]) -> list[ScanScores | ScanFailure]:
        return [self.structural(result) for result in super().score(scans)]

    @staticmethod
    def structural(scores: ScanScores | ScanFailure) -> ScanScores | ScanFailure:
        if isinstance(scores, ScanFailure):
            return scores
        causes = (ReasonCode.IB_SIGNAL,) if scores.grade.ordinal == UNGRADABLE else ()
        doubts = (ReasonCode.IB_ALGORITHM,) if scores.grade.ordinal == OUTSTANDING else ()
        return replace(scores, artifacts=(), centration=None, findings=StructuralFindings(doubts, causes))


@pytest.fixture
def blobs(settings: Settings) -> BlobStore:
    return open_blob_store(settings)


@pytest.fixture
def scene(owner_database: Database, blobs: BlobStore) -> Scene:
    with session_scope(owner_database) as session:
        return make_scene(session, blobs)


def score(owner: Database, worker: Database, settings: Settings, scene: Scene, order: int) -> int:
    with session_scope(owner) as session:
        scan_id = queue_scan(session, scene, order).id
    assess_scans(Line(worker, scene.blobs, StructuralScorer(), settings))
    return scan_id


def test_a_lanes_causes_explain_the_grade_and_its_doubts_ask_for_a_person(
    owner_database: Database, worker_database: Database, settings: Settings, scene: Scene
) -> None:
    bad = score(owner_database, worker_database, settings, scene, UNGRADABLE)
    doubted = score(owner_database, worker_database, settings, scene, OUTSTANDING)
    with session_scope(owner_database) as session:
        first, second = read_scan(session, bad), read_scan(session, doubted)
    assert first is not None
    assert first.assessment is not None
    assert first.assessment.verdict is Verdict.REACQUIRE
    assert [reason.code for reason in first.assessment.reasons] == [ReasonCode.IB_SIGNAL]
    assert second is not None
    assert second.assessment is not None
    assert second.assessment.verdict is Verdict.REVIEW
    assert [reason.code for reason in second.assessment.reasons] == [ReasonCode.IB_ALGORITHM]


def test_findings_and_pictures_come_back_as_they_were_stored(
    owner_database: Database, worker_database: Database, settings: Settings, scene: Scene
) -> None:
    scan_id = score(owner_database, worker_database, settings, scene, UNGRADABLE)
    with session_scope(owner_database) as session:
        view, images, stored = (
            read_scan(session, scan_id),
            read_scan_images(session, scan_id),
            read_scores(session, scan_id),
        )
        row = session.scalars(select(Assessment).where(Assessment.scan_id == scan_id)).one()
        assert row.faz_area_mm2 is None
        assert "faz" not in row.not_computable
    assert view is not None
    assert view.assessment is not None
    assert view.assessment.findings == DOCUMENT
    assert view.assessment.pictures == tuple(sorted(PICTURES))
    assert images is not None
    assert {name: scene.blobs.get(sha256) for name, sha256 in images.picture_sha256.items()} == PICTURES
    assert stored.scores.findings.document() == DOCUMENT  # type: ignore[union-attr]
    assert stored.scores.findings.causes == (ReasonCode.IB_SIGNAL,)  # type: ignore[union-attr]
    assert stored.scores.centration is None


def test_a_lanes_pictures_are_in_use_as_long_as_their_assessment_is_there(
    owner_database: Database, worker_database: Database, settings: Settings, scene: Scene
) -> None:
    scan_id = score(owner_database, worker_database, settings, scene, UNGRADABLE)
    with session_scope(owner_database) as session:
        named = session.scalars(
            select(AssessmentPicture.sha256)
            .join(Assessment, Assessment.id == AssessmentPicture.assessment_id)
            .join(Scan, Scan.assessment_id == Assessment.id)
            .where(Scan.id == scan_id)
        ).all()
        assert len(named) == len(PICTURES)
        assert delete_unused_blobs(session, named, before=now()) == []


def test_every_kind_is_graded_on_its_own_scale() -> None:
    for kind in ScanKind:
        names = grade_names(kind)
        assert list(names) == [grade.value for grade in GRADES_OF_SCALE[SCALE_OF_KIND[kind]]]
        assert all(known_ordinal(ordinal, kind) == ordinal for ordinal in names)
        with pytest.raises(UsageError, match=f"no grade {len(names)}"):
            known_ordinal(len(names), kind)

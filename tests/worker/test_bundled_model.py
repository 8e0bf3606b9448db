"""The worker as it ships, with the bundled weights: a phantom goes in, an assessment with masks and Grad-CAM comes out."""

import sys
from pathlib import Path

import psutil
from builders import make_acquisition, make_blob, make_scan
from sqlalchemy import select
from worker_process import Site, environment_of, running, wait_until

from core.database.session import session_scope
from core.database.tables import Assessment, AssessmentArtifact, ModelVersion
from core.intake.canonical import encode_image
from core.phantom.octa import OctaPhantomSpec, render_octa
from core.scoring.card import ModelCard
from core.scoring.registry import weights_path
from core.vocabulary import OCTA_ARTIFACTS, ScanKind

WORKER_LIMIT_MB = 1500


def test_the_worker_scores_phantoms_with_the_bundled_weights_in_bounded_memory(site: Site, tmp_path: Path) -> None:
    with session_scope(site.owner) as session:
        for seed in range(4):
            data = encode_image(render_octa(OctaPhantomSpec(), seed).image)
            site.scene.blobs.put(data)
            acquisition = make_acquisition(session, site.scene.site, device=site.scene.device)
            make_scan(session, site.scene.site, acquisition=acquisition, blob=make_blob(session, data))
    environment = environment_of(site.settings, OCTAUDIT_WORKER_DEVICE="cpu", OCTAUDIT_WORKER_LEASE="PT2M")
    with running([sys.executable, "-m", "worker"], environment, tmp_path / "worker.log") as worker:
        wait_until(lambda: site.n_assessments() == 4, "four phantoms are scored", patience_s=180)
        family = [psutil.Process(worker.process.pid), *psutil.Process(worker.process.pid).children()]
        used_mb = sum(process.memory_info().rss for process in family) / 1e6
    with session_scope(site.owner) as session:
        stored = session.scalars(select(Assessment)).all()
        artifacts = set(session.scalars(select(AssessmentArtifact.type)))
        model = session.scalars(select(ModelVersion).where(ModelVersion.kind == ScanKind.OCTA_ENFACE)).one()
    card = ModelCard.beside(weights_path(ScanKind.OCTA_ENFACE))
    assert artifacts == set(OCTA_ARTIFACTS)
    assert all(row.faz_mask_sha256 and site.scene.blobs.exists(row.faz_mask_sha256) for row in stored)
    assert (model.name, model.weights_sha256) == (card.name, card.weights_sha256)
    assert model.card["version"] == card.version
    assert used_mb < WORKER_LIMIT_MB

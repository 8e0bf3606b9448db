"""The bundled layer model through the worker: each B-scan's Q is stored, and orders what is annotated next."""

import pytest
from builders import make_member
from lane import Scene, make_scene
from sqlalchemy import select
from volume_scans import N_LINES, queue_volume

from core.clock import now
from core.database import tables
from core.database.session import Database, session_scope
from core.measures.selection import SelectionRule
from core.scoring.registry import load_scorer
from core.settings import Settings
from core.storage import open_blob_store
from core.store.mask import add_round, put_mask
from core.store.scan_view import read_scan
from core.usecases.assess_scans import Line, assess_scans
from core.usecases.choose_masks import MOST_OF_A_VOLUME, foresee_round
from core.vocabulary import Role, ScanKind


@pytest.fixture
def scene(owner_database: Database, settings: Settings) -> Scene:
    with session_scope(owner_database) as session:
        return make_scene(session, open_blob_store(settings))


def test_after_a_first_mask_the_b_scans_on_which_the_levels_agree_least_are_asked_for(
    owner_database: Database, worker_database: Database, settings: Settings, scene: Scene
) -> None:
    with session_scope(owner_database) as session:
        scan_id, study_id = queue_volume(session, scene).id, scene.site.study_id
        make_member(session, Role.MANAGER, study=session.get_one(tables.Study, study_id))
    scorer = load_scorer(ScanKind.VOLUME, device="cpu")
    assess_scans(Line(worker_database, scene.blobs, scorer, settings))
    with session_scope(owner_database) as session:
        view = read_scan(session, scan_id)
        assert view is not None
        assert view.assessment is not None
        qs = (view.assessment.findings or {})["bscan_indices"]["q_level_agreement"]
        assert len(qs) == N_LINES
        assert all(0.0 < q < 1.0 for q in qs)
        assert len(set(qs)) > N_LINES // 2
        first = foresee_round(session, study_id=study_id, kind=ScanKind.VOLUME)
        assert (first.step, first.n_looked_at, first.n_with_q) == (1, N_LINES, N_LINES)
        person = session.scalars(select(tables.User.id)).one()
        asked = add_round(session, study_id=study_id, kind=ScanKind.VOLUME, step=1, rule={},
                          created_by_id=person, wanted=first.wanted[:1])  # fmt: skip
        picture = session.scalars(select(tables.Blob.sha256)).first()
        assert picture is not None
        put_mask(session, asked, 1, picture, by_id=person, at=now())
        found = foresee_round(session, study_id=study_id, kind=ScanKind.VOLUME, rule=SelectionRule(q0=1.0))
    drawn = first.wanted[0][0].bscan_index
    least = sorted((q, at) for at, q in enumerate(qs) if at != drawn)[:MOST_OF_A_VOLUME]
    assert found.step == 2
    assert [(q, one.bscan_index) for one, q in found.wanted] == least

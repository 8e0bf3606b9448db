"""What upload tests stand on: a clinic with a device and people, images as files, and rows of a manifest."""

import io
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from builders import make_device, make_member, make_protocol_version, make_site, make_study, make_technician
from PIL import Image
from sqlalchemy.orm import Session

from core.database.session import Database, session_scope
from core.phantom.octa import render_octa
from core.phantom.spec import OctaPhantomSpec
from core.policy.protocol import Protocol
from core.settings import Settings
from core.storage import BlobStore, open_blob_store
from core.store.access import Actor, current_actor
from core.usecases.open_batch import fill_in, open_batch
from core.usecases.stage_files import StagedFile, Staging, stage_upload
from core.usecases.submit_batch import Receipt, submit_batch
from core.vocabulary import Role, ScanKind


def phantom(seed: int = 1, size_px: int = 128, **changes: float) -> np.ndarray:
    """A small OCTA phantom, uint8 (height, width)."""
    return render_octa(OctaPhantomSpec(size_px=size_px, field_mm=3.0, **changes), seed).image


def png(image: np.ndarray, **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG", **options)
    return buffer.getvalue()


def zipped(members: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


@dataclass
class RecordingBell:
    """A bell that notes which lanes it rang for."""

    rung: list[ScanKind] = field(default_factory=list)

    def ring(self, lane: ScanKind) -> None:
        self.rung.append(lane)


@dataclass
class Clinic:
    """One site, and one of its people who uploads, with everything that uploading needs."""

    study: str
    site: str
    site_id: int
    study_id: int
    device: str
    technician: str
    user_id: int
    token: str
    database: Database
    settings: Settings
    blobs: BlobStore
    folder: Path
    bell: RecordingBell = field(default_factory=RecordingBell)

    @contextmanager
    def session(self) -> Iterator[Session]:
        with session_scope(self.database, token=self.token) as session:
            yield session

    @property
    def actor(self) -> Actor:
        with self.session() as session:
            actor = current_actor(session)
        assert actor is not None
        return actor

    def row(self, **changes: object) -> dict[str, str]:
        values = {
            "subject": "P-001", "visit": "V1", "acquisition": "A1", "acquired_at": "2026-03-02 09:30", "eye": "OD",
            "kind": "octa-enface", "slab": "superficial", "field_width_mm": "3", "field_height_mm": "3",
            "device": self.device, "technician": self.technician,
        }  # fmt: skip
        return {name: str(value) for name, value in (values | changes).items() if value is not None}

    def open(self) -> int:
        with self.session() as session:
            return open_batch(session, actor=self.actor, study=self.study, site=self.site).id

    def staging(self, batch_id: int) -> Staging:
        opener: Callable[[], AbstractContextManager[Session]] = self.session
        return Staging(opener, self.blobs, self.settings, self.actor, batch_id)

    def stage(self, batch_id: int, name: str, data: bytes) -> list[object]:
        path = self.folder / "upload"
        path.write_bytes(data)
        return list(stage_upload(self.staging(batch_id), path, name))

    def stage_row(self, batch_id: int, name: str, data: bytes, **changes: object) -> int:
        """Stage one file with a complete row and return its id."""
        (staged,) = self.stage(batch_id, name, data)
        assert isinstance(staged, StagedFile)
        with self.session() as session:
            fill_in(session, actor=self.actor, batch_id=batch_id, entries={staged.file_id: self.row(**changes)})
        return staged.file_id

    def submit(self, batch_id: int) -> Receipt:
        with self.session() as session:
            return submit_batch(session, actor=self.actor, blobs=self.blobs, bell=self.bell, batch_id=batch_id)


def make_clinic(
    owner: Database,
    dashboard: Database,
    settings: Settings,
    folder: Path,
    *,
    role: Role = Role.SITE_TECHNICIAN,
    protocol: Protocol | None = None,
) -> Clinic:
    with session_scope(owner) as session:
        study = make_study(session)
        site = make_site(session, study)
        make_protocol_version(session, study, document=(protocol or Protocol.default()).model_dump(mode="json"))
        device, technician = make_device(session, site), make_technician(session, site)
        user, token = make_member(session, role, site=site)
        return Clinic(
            study=study.code, site=site.code, site_id=site.id, study_id=study.id, device=device.code,
            technician=technician.code, user_id=user.id, token=token, database=dashboard, settings=settings,
            blobs=open_blob_store(settings), folder=folder,
        )  # fmt: skip

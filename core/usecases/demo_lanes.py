"""A small study of simulated scans of the other lanes, so that a first visitor finds a page of each kind."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

from core.scoring.contract import OPEN_LANES
from core.usecases.demo_small_study import TECHNICIAN, SmallStudy
from core.usecases.ingest_files import Ingestion, IngestItem, ingest_files
from core.usecases.phantom_writers import PHANTOM_WRITERS
from core.usecases.write_phantoms import MANIFEST_NAME, SCANS_FOLDER, PhantomOrder
from core.vocabulary import ScanKind

LANES = SmallStudy(
    code="LANES",
    name="Other kinds of scan (simulated)",
    site="PHANTOM",
    site_name="Simulated scans",
    country="CH",
    device="SIMULATOR",
    manufacturer="octaudit",
    model="Phantom",
)
SEED = 11


@dataclass(frozen=True, slots=True)
class Share:
    """How many scans of a kind, and how large; of a volume ``size_px`` is its A-scans."""

    count: int
    size_px: int


SHARES = {
    ScanKind.ONH_ENFACE: Share(4, 304),
    ScanKind.BSCAN: Share(4, 400),
    ScanKind.VOLUME: Share(2, 128),
}


def send_lanes(ingestion: Ingestion) -> None:
    """Render the scans of every open lane and send them through the intake; scoring goes on by itself."""
    for kind in OPEN_LANES:
        if kind in SHARES:
            with tempfile.TemporaryDirectory() as folder:
                _send(ingestion, kind, Path(folder))


def _send(ingestion: Ingestion, kind: ScanKind, folder: Path) -> None:
    order = PhantomOrder(
        folder=folder,
        count=SHARES[kind].count,
        seed=SEED,
        size_px=SHARES[kind].size_px,
        study=LANES.code,
        site=LANES.site,
        device=LANES.device,
        technician=TECHNICIAN,
    )
    PHANTOM_WRITERS[kind](order, lambda _: None)
    items = [IngestItem(path.name, path) for path in sorted((folder / SCANS_FOLDER).iterdir())]
    manifest = (folder / MANIFEST_NAME).read_bytes()
    ingest_files(ingestion, items, study=LANES.code, site=LANES.site, manifest=manifest)

"""Volumes: how one was scanned, where its fovea is, and its thickness by sector and against the device's own."""

from datetime import datetime

from pydantic import Field

from core.measures.etdrs import EtdrsThickness
from core.measures.fovea import Fovea
from core.measures.thickness import TOTAL_THICKNESS, ThicknessAgreement
from core.usecases.look_at_volume import VolumeLook
from core.values import NotComputable
from core.vocabulary import Laterality, ScanPattern
from dashboard.api.documents.base import Document, MaybeNumber, Quantity, as_quantity


class FoveaDocument(Document):
    """Where the fovea lies on the fundus image, and who says so."""

    x_mm: float = Field(description="Right of the fundus image's left edge.")
    y_mm: float = Field(description="Below its upper edge.")
    is_manual: bool = Field(description="True: a person marked it.")
    marked_by: str | None
    marked_at: datetime | None
    reason: str | None


class SectorDocument(Document):
    """One ETDRS sector."""

    thickness_um: MaybeNumber = Field(description="Mean total thickness; needs 95 % of the sector measured.")
    sampled_fraction: float | None = Field(description="Share of the sector that was measured, 0..1.")


class AgreementDocument(Document):
    """Ours minus the device's own thickness, A-scan by A-scan."""

    bias_um: float
    low_um: float = Field(description="Lower 95 % limit of agreement.")
    high_um: float = Field(description="Upper 95 % limit of agreement.")
    mean_absolute_um: float
    n_ascans: int
    outer_boundary: str = Field(description="Where the device stops: BM, or RPE, which is part of the difference.")


class VolumeDocument(Document):
    """One volume, measured around the fovea that counts now."""

    scan_id: int
    laterality: Laterality
    scan_pattern: ScanPattern
    n_bscans: int
    height_px: int
    width_px: int
    z_mm_per_px: float | None = Field(description="Depth of a pixel; null: the file does not state it.")
    x_mm_per_px: float | None = Field(description="Width of a pixel along the B-scan.")
    lines_mm: list[tuple[float, float, float, float]] | None = Field(
        description="StartX, StartY, EndX, EndY of each B-scan on the fundus image; of a circle first point, centre."
    )
    quality_db: list[float] | None = Field(description="The device's own signal-to-noise figure of each B-scan.")
    has_fundus: bool = Field(description="Whether slo.png exists.")
    definition: str = Field(description="What total thickness is.")
    mean_thickness_um: MaybeNumber = Field(description="Mean of all A-scans.")
    fovea: FoveaDocument | None = Field(description="Null exactly where why_no_fovea says why.")
    why_no_fovea: str | None
    sectors: dict[str, SectorDocument] = Field(description="By ETDRS sector; empty where why_no_sectors says why.")
    why_no_sectors: str | None
    total_volume_mm3: Quantity = Field(description="Thickness over the circle of 6 mm.")
    agreement: AgreementDocument | None = Field(description="Null exactly where why_no_agreement says why.")
    why_no_agreement: str | None


class BordersDocument(Document):
    """The borders of one B-scan, as rows per A-scan; null where there is none."""

    model: list[list[float | None]] | None = Field(description="From the innermost outwards; null: not to be seen yet.")
    device: dict[str, list[float | None]] | None = Field(description="The device's own, by its own names.")


def volume_document(look: VolumeLook) -> VolumeDocument:
    """Everything that the volume's page says in numbers."""
    volume = look.volume
    return VolumeDocument(
        scan_id=look.files.scan_id,
        laterality=look.files.laterality,
        scan_pattern=volume.scan_pattern,
        n_bscans=volume.n_bscans,
        height_px=volume.height_px,
        width_px=volume.width_px,
        z_mm_per_px=volume.z_mm_per_px,
        x_mm_per_px=volume.x_mm_per_px,
        lines_mm=None if volume.lines_mm is None else [tuple(line) for line in volume.lines_mm.tolist()],
        quality_db=None if volume.quality_db is None else list(volume.quality_db),
        has_fundus=volume.slo is not None,
        definition=TOTAL_THICKNESS,
        mean_thickness_um=look.mean_um,
        fovea=_fovea(look),
        why_no_fovea=_why_not(look.fovea),
        sectors=_sectors(look.etdrs),
        why_no_sectors=_why_not(look.etdrs),
        total_volume_mm3=Quantity.model_validate(
            as_quantity(look.etdrs if isinstance(look.etdrs, NotComputable) else look.etdrs.total_volume_mm3)
        ),
        agreement=_agreement(look.agreement),
        why_no_agreement=_why_not(look.agreement),
    )


def _why_not(found: object) -> str | None:
    return found.reason if isinstance(found, NotComputable) else None


def _fovea(look: VolumeLook) -> FoveaDocument | None:
    fovea, mark = look.fovea, look.files.fovea
    if not isinstance(fovea, Fovea):
        return None
    if not fovea.is_manual or mark is None:
        return FoveaDocument(
            x_mm=fovea.x_mm, y_mm=fovea.y_mm, is_manual=False, marked_by=None, marked_at=None, reason=None
        )
    return FoveaDocument(
        x_mm=fovea.x_mm, y_mm=fovea.y_mm, is_manual=True, marked_by=mark.who, marked_at=mark.at, reason=mark.reason
    )


def _sectors(found: EtdrsThickness | NotComputable) -> dict[str, SectorDocument]:
    if isinstance(found, NotComputable):
        return {}
    return {
        sector.value: SectorDocument(thickness_um=measure, sampled_fraction=found.sampled_fraction.get(sector))
        for sector, measure in found.sectors.items()
    }


def _agreement(found: ThicknessAgreement | NotComputable) -> AgreementDocument | None:
    return None if isinstance(found, NotComputable) else AgreementDocument.model_validate(found)

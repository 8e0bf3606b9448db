"""What a DICOM object says of itself: eye, kind, slab, field, moment and device, read from everywhere it may stand.

Only what a manifest asks for is read, and the UIDs that a result has to name. Nothing of the patient, the institution
or the operator is looked at, so nothing of them can go further.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

from pydicom import Dataset
from pydicom.uid import UID

from core.intake.problems import Problem
from core.vocabulary import Laterality, ScanKind, Slab

OPT = UID("1.2.840.10008.5.1.4.1.1.77.1.5.4")
"""Ophthalmic Tomography Image Storage: B-scans."""
OPT_EN_FACE = UID("1.2.840.10008.5.1.4.1.1.77.1.5.7")
"""Ophthalmic Optical Coherence Tomography En Face Image Storage."""
PHOTOGRAPHY = (UID("1.2.840.10008.5.1.4.1.1.77.1.5.1"), UID("1.2.840.10008.5.1.4.1.1.77.1.5.2"))
"""Ophthalmic Photography 8 and 16 Bit Image Storage."""
READABLE = (OPT, OPT_EN_FACE, *PHOTOGRAPHY)

FIELD_MM = (0.5, 30.0)
"""Sides of a scanned field that can be: a scale outside is a fault of the export (OCT-Converter #128: 300 mm)."""
_SPACING_TOLERANCE = 1e-3
"""Relative; devices round what they write in several places."""
_EYES = {"R": Laterality.OD, "L": Laterality.OS}
_FLOW_SLABS = {
    "128265": Slab.SUPERFICIAL, "128269": Slab.DEEP, "128259": Slab.FULL_RETINA, "128273": Slab.CHORIOCAPILLARIS,
    "128267": Slab.UNKNOWN, "128271": Slab.UNKNOWN, "128263": Slab.UNKNOWN, "128275": Slab.UNKNOWN,
    "128277": Slab.UNKNOWN,
}  # fmt: skip
"""CID 4271, vasculature flow, by the slabs of Campbell 2017; layers that we have no word for are unknown."""
_PERIPAPILLARY = "128263"
_OPTIC_DISC = "81016008"
_OCT_SCANNER = "392012008"


@dataclass(frozen=True, slots=True)
class DicomFacts:
    """What the object says, as far as it says it; the file's own word against which a manifest row is checked.

    Attributes
    ----------
    field_mm : (float, float) or None
        Width and height of the image in mm; None where no place states a scale, or places disagree.
    acquired_at : str or None
        ISO 8601, with the zone where the object states one.
    """

    kind: ScanKind | None
    eye: Laterality | None
    slab: Slab | None
    field_mm: tuple[float, float] | None
    acquired_at: str | None
    manufacturer: str
    model: str
    serial: str
    software_version: str
    quality: tuple[str, float] | None
    rows: int
    columns: int
    frames: int

    def as_document(self) -> dict[str, Any]:
        """The facts as JSON for ``dicom_source.facts``."""
        return asdict(self)

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "DicomFacts":
        """The facts stored by ``as_document``."""
        values = {name: document[name] for name in cls.__slots__}
        kind, eye, slab = values["kind"], values["eye"], values["slab"]
        values |= {
            "kind": ScanKind(kind) if kind else None,
            "eye": Laterality(eye) if eye else None,
            "slab": Slab(slab) if slab else None,
            "field_mm": _pair(values["field_mm"]),
            "quality": _pair(values["quality"]),
        }
        return cls(**values)

    @property
    def entry(self) -> dict[str, str]:
        """The manifest values that the object states, to be confirmed like those of the file's name."""
        width, height = self.field_mm or (None, None)
        name, value = self.quality or (None, None)
        stated = {
            "kind": self.kind, "eye": self.eye, "slab": self.slab, "acquired_at": self.acquired_at,
            "field_width_mm": _plain(width), "field_height_mm": _plain(height),
            "software_version": self.software_version, "device_quality_name": name,
            "device_quality_value": _plain(value),
        }  # fmt: skip
        return {column: str(text) for column, text in stated.items() if text}


@dataclass(frozen=True, slots=True)
class DicomReference:
    """The UIDs by which results name the object they are about. They never appear in a ``repr`` or a log."""

    class_uid: str
    study_uid: str = field(repr=False)
    series_uid: str = field(repr=False)
    instance_uid: str = field(repr=False)
    frame_of_reference_uid: str | None = field(repr=False, default=None)


def read_reference(header: Dataset) -> DicomReference | None:
    """The object's UIDs; None where one is missing, so that nothing could name it."""
    names = ("SOPClassUID", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
    found = [UID(_text(header.get(name))) for name in names]
    if not all(uid and uid.is_valid for uid in found):
        return None
    frame = UID(_text(header.get("FrameOfReferenceUID")))
    class_uid, study_uid, series_uid, instance_uid = (str(uid) for uid in found)
    return DicomReference(class_uid, study_uid, series_uid, instance_uid, str(frame) if frame.is_valid else None)


def read_facts(header: Dataset) -> tuple[DicomFacts, tuple[Problem, ...]]:
    """What the header states, and where it contradicts itself or states what cannot be."""
    eye, eye_problems = _read_eye(header)
    field_mm, field_problems = _read_field(header)
    kind, slab, kind_problems = _read_kind(header)
    facts = DicomFacts(
        kind=kind,
        eye=eye,
        slab=slab,
        field_mm=field_mm,
        acquired_at=_read_moment(header),
        manufacturer=_text(header.get("Manufacturer")),
        model=_text(header.get("ManufacturerModelName")),
        serial=_text(header.get("DeviceSerialNumber")),
        software_version=_text(header.get("SoftwareVersions")),
        quality=_read_quality(header),
        rows=int(header.Rows),
        columns=int(header.Columns),
        frames=frame_count(header),
    )
    return facts, eye_problems + kind_problems + field_problems


def frame_count(header: Dataset) -> int:
    """(0028,0008) Number of Frames; one where it is not stated."""
    return int(header.get("NumberOfFrames") or 1)


def functional_groups(header: Dataset, name: str) -> Iterator[Dataset]:
    """Every item of one functional group macro, the shared one first, then frame by frame."""
    for groups in ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"):
        for item in header.get(groups) or ():
            yield from item.get(name) or ()


def _read_eye(header: Dataset) -> tuple[Laterality | None, tuple[Problem, ...]]:
    """The eye by all three places that may state it: one of them alone has been wrong in the field."""
    stated = {
        "Laterality (0020,0060)": {_text(header.get("Laterality"))},
        "Image Laterality (0020,0062)": {_text(header.get("ImageLaterality"))},
        "Frame Laterality (0020,9072)": {
            _text(item.get("FrameLaterality")) for item in functional_groups(header, "FrameAnatomySequence")
        },
    }
    said = {tag: sorted(values - {"", "U"}) for tag, values in stated.items() if values - {"", "U"}}
    eyes = {value for values in said.values() for value in values}
    if len(eyes) == 1 and eyes <= set(_EYES):
        return _EYES[eyes.pop()], ()
    if not eyes:
        return None, ()
    quoted = ", ".join(f"{tag} says {' and '.join(values)}" for tag, values in said.items())
    if len(eyes) == 1:
        return None, (_eye_problem("laterality_of_no_eye", f"The file names no single eye: {quoted}."),)
    return None, (_eye_problem("laterality_conflict", f"The file contradicts itself about the eye: {quoted}."),)


def _eye_problem(code: str, message: str) -> Problem:
    return Problem(
        code, message, "Check on the device which eye it is, correct it there, and export the scan again.", "eye"
    )


def _read_kind(header: Dataset) -> tuple[ScanKind | None, Slab | None, tuple[Problem, ...]]:
    class_uid = header.SOPClassUID
    if class_uid == OPT:
        return (ScanKind.BSCAN if frame_count(header) == 1 else ScanKind.VOLUME), None, ()
    if class_uid == OPT_EN_FACE:
        return _read_en_face(header)
    return None, None, _photograph_problems(header)


def _read_en_face(header: Dataset) -> tuple[ScanKind | None, Slab | None, tuple[Problem, ...]]:
    code = _code(header, "OphthalmicImageTypeCodeSequence")
    if code is None:
        return ScanKind.OCTA_ENFACE, None, ()
    value, meaning = code
    if value not in _FLOW_SLABS:
        problem = Problem(
            "no_flow_image",
            f"The en-face image shows {meaning or 'something else'}, not blood flow; only OCTA images are scored.",
            "Export the flow (OCTA) image of the same slab.",
        )
        return None, None, (problem,)
    is_disc = value == _PERIPAPILLARY or (_code(header, "AnatomicRegionSequence") or ("",))[0] == _OPTIC_DISC
    return (ScanKind.ONH_ENFACE if is_disc else ScanKind.OCTA_ENFACE), _FLOW_SLABS[value], ()


def _photograph_problems(header: Dataset) -> tuple[Problem, ...]:
    """Some devices export their en-face images as photographs: grey, and made by an OCT scanner."""
    device = _code(header, "AcquisitionDeviceTypeCodeSequence")
    if device is not None and device[0] == _OCT_SCANNER and int(header.SamplesPerPixel) == 1:
        note = Problem(
            "photograph_of_oct",
            "The object is a photograph by its class, made by an OCT scanner: its slab and kind are not stated.",
            "Enter what it shows; export it as an en-face object where the device can.",
            is_blocking=False,
        )
        return (note,)
    return (
        Problem(
            "photograph_not_scored",
            "The object is an ophthalmic photograph, and no model scores photographs yet.",
            "Take the file out of this upload and keep it; send the OCTA en-face image.",
        ),
    )


def _read_field(header: Dataset) -> tuple[tuple[float, float] | None, tuple[Problem, ...]]:
    """Width and height of the image by its pixel spacing, or why there is none.

    An OPT object has its spacing in the functional groups (Pixel Measures), the others at the top level.
    """
    places = [header, *functional_groups(header, "PixelMeasuresSequence")]
    spacings = [spacing for spacing in (_spacing(place) for place in places) if spacing is not None]
    if not spacings:
        return None, (_no_scale("scale_missing", "The file states no pixel spacing."),)
    first = spacings[0]
    if any(abs(a / b - 1) > _SPACING_TOLERANCE for other in spacings for a, b in zip(other, first, strict=True)):
        return None, (_no_scale("scale_conflict", "The file states different pixel spacings in different places."),)
    width, height = int(header.Columns) * first[1], int(header.Rows) * first[0]
    if not all(FIELD_MM[0] <= side <= FIELD_MM[1] for side in (width, height)):
        stated = f"The file's pixel spacing makes a field of {width:.4g} x {height:.4g} mm, which no retinal scan has."
        return None, (_no_scale("scale_implausible", stated),)
    return (round(width, 4), round(height, 4)), ()


def _spacing(place: Dataset) -> tuple[float, float] | None:
    """(row spacing, column spacing) in mm of (0028,0030) Pixel Spacing; None where absent or not two sizes."""
    try:
        row, column = (float(value) for value in place.get("PixelSpacing") or ())
    except (TypeError, ValueError):
        return None
    return (row, column) if row > 0 and column > 0 else None


def _no_scale(code: str, message: str) -> Problem:
    return Problem(
        code,
        f"{message} The scale is not taken from it.",
        "Enter the size of the scanned field as the device shows it, or 'unknown'.",
        "field_width_mm",
        is_blocking=False,
    )


def _read_moment(header: Dataset) -> str | None:
    """When it was taken, from the first of the places that states a date and a time of day."""
    candidates = (
        _text(header.get("AcquisitionDateTime")),
        _text(header.get("AcquisitionDate")) + _text(header.get("AcquisitionTime")),
        _text(header.get("ContentDate")) + _text(header.get("ContentTime")),
    )
    for text in candidates:
        moment = _moment(text, _text(header.get("TimezoneOffsetFromUTC")))
        if moment is not None:
            return moment.isoformat()
    return None


def _moment(text: str, zone: str) -> datetime | None:
    """A DICOM DT (PS3.5, 6.2) of at least minutes, to the second."""
    for sign in "+-":
        if sign in text:
            text, _, digits = text.partition(sign)
            zone = sign + digits
    try:
        moment = datetime.strptime(text[:12] + (text[12:14] or "00"), "%Y%m%d%H%M%S")  # noqa: DTZ007 - zone below
        if not zone:
            return moment
        offset = timedelta(hours=int(zone[1:3]), minutes=int(zone[3:5]))
        return moment.replace(tzinfo=timezone(-offset if zone[0] == "-" else offset))
    except ValueError:
        return None


def _read_quality(header: Dataset) -> tuple[str, float] | None:
    """The device's own quality rating of an en-face image, (0022,1628)."""
    for rating in header.get("OphthalmicEnFaceImageQualityRatingSequence") or ():
        code = _code(rating, "ConceptNameCodeSequence")
        value = rating.get("NumericValue")
        number = value[0] if isinstance(value, (list, tuple)) and value else value
        if code is not None and number is not None:
            return code[1] or code[0], float(number)
    return None


def _code(dataset: Dataset, name: str) -> tuple[str, str] | None:
    """Value and meaning of the first item of a code sequence."""
    for item in dataset.get(name) or ():
        return _text(item.get("CodeValue")), _text(item.get("CodeMeaning"))
    return None


def _text(value: object) -> str:
    """A value as one line of text without control characters, at most 64 long; several values are joined."""
    if value is None:
        return ""
    is_several = not isinstance(value, str) and hasattr(value, "__iter__")
    joined = ", ".join(str(part) for part in value) if is_several else str(value)  # type: ignore[attr-defined]
    return "".join(character for character in joined if character.isprintable()).strip()[:64]


def _pair(value: Any) -> Any:
    return None if value is None else tuple(value)


def _plain(number: float | None) -> str | None:
    return None if number is None else f"{number:g}"

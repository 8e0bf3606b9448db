"""The coded concepts of DICOM results: DICOM's and SNOMED CT's where they have one, else our own, 99OCTAUDIT.

docs/dicom.md lists the own ones with their meaning; a test holds the two together. A value here is never given another
meaning: what changes gets a new value.
"""

from highdicom.sr import CodedConcept
from pydicom.sr.codedict import codes

from core.vocabulary import ArtifactType, CoipsGrade, Laterality, ReasonCode, ScaleSource, Severity, Verdict

SCHEME = "99OCTAUDIT"
SCHEME_NAME = "octaudit private coding scheme"


def own(value: str, meaning: str) -> CodedConcept:
    """A concept of our own scheme; values have at most 16 characters (PS3.3, 8.1)."""
    return CodedConcept(value=value, scheme_designator=SCHEME, meaning=meaning)


def dcm(value: str, meaning: str) -> CodedConcept:
    """A concept of DICOM's own scheme (PS3.16, annex D)."""
    return CodedConcept(value=value, scheme_designator="DCM", meaning=meaning)


def sct(value: str, meaning: str) -> CodedConcept:
    """A concept of SNOMED CT."""
    return CodedConcept(value=value, scheme_designator="SCT", meaning=meaning)


def unit(value: str, meaning: str) -> CodedConcept:
    """A unit of UCUM."""
    return CodedConcept(value=value, scheme_designator="UCUM", meaning=meaning)


RETINA = sct("5665001", "Retina")
IMAGING = sct("363679005", "Imaging procedure")
"""CID 100."""
EYES = {Laterality.OD: sct("24028007", "Right"), Laterality.OS: sct("7771000", "Left")}
"""CID 247."""
IMAGE_ARTIFACT = dcm("111207", "Image artifact(s)")
ANATOMICAL_STRUCTURE = sct("123037004", "Anatomical Structure")
FAZ = own("FAZ", "Foveal avascular zone")
ARTIFACTS = {
    ArtifactType.MOTION: own("MOTION", "Motion artifact"),
    ArtifactType.SHADOW: own("SHADOW", "Shadow artifact"),
    ArtifactType.DEFOCUS: own("DEFOCUS", "Defocus"),
    ArtifactType.LOW_SIGNAL: own("LOW_SIGNAL", "Low signal"),
    ArtifactType.SHALLOW: own("SHALLOW_LOSS", "Shallow signal loss"),
    ArtifactType.DARK: own("DARK_LOSS", "Dark signal loss"),
}
ALGORITHM_FAMILY = codes.DCM.ArtificialIntelligence

MM, MM2, ONE = unit("mm", "mm"), unit("mm2", "mm2"), unit("1", "no units")
PERCENT, PER_MM, RATIO = unit("%", "%"), unit("/mm", "/mm"), unit("{ratio}", "ratio")
PROBABILITY = unit("{probability}", "probability")

FAZ_MEASURES = {
    "faz_area_mm2": (sct("42798000", "Area"), MM2),
    "faz_perimeter_mm": (sct("131191004", "Perimeter"), MM),
    "faz_acircularity_index": (own("ACIRCULARITY", "Acircularity index"), RATIO),
    "faz_circularity": (own("CIRCULARITY", "Circularity"), RATIO),
    "faz_axis_ratio": (own("AXIS_RATIO", "Axis ratio"), RATIO),
}
"""Measures of the foveal avascular zone: column of the assessment, concept, unit (docs/metrics.md)."""
SCAN_MEASURES = {
    "centration_offset_mm": (own("CENTRATION_MM", "Offset of the foveal avascular zone from the centre"), MM),
    "centration_offset_fraction": (own("CENTRATION_SHARE", "Offset as a share of the field"), RATIO),
    "large_vessel_area_density_percent": (own("LARGE_VESSELS", "Large vessel area density"), PERCENT),
    "perfusion_density_percent": (own("PERFUSION", "Perfusion density"), PERCENT),
    "skeleton_density_per_mm": (own("SKELETON", "Vessel skeleton density"), PER_MM),
    "fd_300_percent": (own("FD300", "Flow density within 300 um around the zone"), PERCENT),
    "blurriness": (own("BLURRINESS", "Blurriness"), RATIO),
    "psnr_inverse": (own("PSNR_INVERSE", "Inverse peak signal-to-noise ratio"), RATIO),
    "cov": (own("COV", "Coefficient of variation of grey levels"), RATIO),
    "mean": (own("MEAN", "Mean grey level"), ONE),
    "q_level_agreement": (own("LEVEL_AGREEMENT", "Agreement of the network's levels"), RATIO),
    "cam_mask_agreement": (own("CAM_AGREEMENT", "Agreement of Grad-CAM and artifact masks"), RATIO),
}
"""Measures of the whole image."""
AREA_SHARE = own("AREA_SHARE", "Share of the region of interest")
LINE_SHARE = own("LINE_SHARE", "Share of the scan lines")
P_UNGRADABLE = own("P_UNGRADABLE", "Probability of being ungradable")

QUALITY_GRADE = own("GRADE", "Image quality grade (COIPS)")
GRADES = {
    CoipsGrade.UNGRADABLE: own("GRADE_0", "Ungradable"),
    CoipsGrade.GRADABLE: own("GRADE_1", "Gradable"),
    CoipsGrade.OUTSTANDING: own("GRADE_2", "Outstanding"),
}
MODEL_GRADE = own("MODEL_GRADE", "Image quality grade by the model alone")
ABSTAINED = own("DECLINED", "Model declined to grade")
VERDICT = own("VERDICT", "Verdict")
VERDICTS = {
    Verdict.ACCEPT: own("ACCEPT", "Accepted"),
    Verdict.REVIEW: own("REVIEW", "To be reviewed"),
    Verdict.REACQUIRE: own("REACQUIRE", "To be taken again"),
}
SEVERITY = sct("246112005", "Severity")
SEVERITIES = {
    Severity.NONE: own("NONE", "None"),
    Severity.MILD: own("MILD", "Mild"),
    Severity.SEVERE: own("SEVERE", "Severe"),
}
REASON = own("REASON", "Reason of the verdict")
SCALE_SOURCE = own("SCALE_SOURCE", "Source of the scale")
SCALE_SOURCES = {source: own(source.value.replace(" ", "_").upper(), source.value) for source in ScaleSource}
IS_GRADED_BY_PERSON = own("GRADED_BY", "Grade given by")
PERSON, MODEL = own("PERSON", "Person"), own("MODEL", "Model")
YES = sct("373066001", "Yes")

REJECTED = dcm("113001", "Rejected for Quality Reasons")
TITLE_MODIFIER = dcm("113011", "Document Title Modifier")
_MOTION = dcm("111210", "Motion blur")
_POSITIONING = dcm("111209", "Positioning")
_PROCESSING = dcm("111219", "Inappropriate image processing")
REJECTION_REASONS = {
    ReasonCode.MP_MOTION: _MOTION,
    ReasonCode.MP_CENTRATION: _POSITIONING,
    ReasonCode.IB_CENTRATION: _POSITIONING,
    ReasonCode.MP_ALGORITHM: _PROCESSING,
    ReasonCode.IB_ALGORITHM: _PROCESSING,
}
"""CID 7011 by our reasons; every other reason is an image artifact to it."""


def rejection_reason(code: ReasonCode | None) -> CodedConcept:
    """The reason of a rejection in the words of CID 7011."""
    return IMAGE_ARTIFACT if code is None else REJECTION_REASONS.get(code, IMAGE_ARTIFACT)


def reason_concept(code: ReasonCode) -> CodedConcept:
    """One of our reasons as a coded value: OSCAR-MP, OSCAR-IB and our own, in their own spelling."""
    return own(_short(code), code.value)


def _short(code: ReasonCode) -> str:
    words = code.value.removeprefix("octaudit:").removeprefix("oscar-").replace("disagreement", "disagree")
    return words.replace(":", "_").replace("-", "_").upper()

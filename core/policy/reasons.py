"""What each reason means in words, whether the operator can cure it, and what a technician should do. Pure text.

The mapping from what the machine measures to OSCAR-MP is ours: motion is M, low signal and shadow are S, defocus is O
(OSCAR-IB shows a scan blurred by poor focus as its example of O: Tewarie et al. 2012, figure 1), decentration is C.
Algorithm failure, retinal pathology and projection need a person's eye, so the machine never sets A, R or P.
"""

from dataclasses import dataclass

from core.values import Reason
from core.vocabulary import ArtifactType, GradeScale, OperatorFixable, ReasonCode, ScanKind


@dataclass(frozen=True, slots=True)
class ReasonText:
    """A reason's wording. ``label`` is for tables and charts, ``text`` and ``remedy`` are sentences."""

    label: str
    text: str
    remedy: str
    operator_fixable: OperatorFixable


_YES, _NO, _UNKNOWN = OperatorFixable.YES, OperatorFixable.NO, OperatorFixable.UNKNOWN

REASON_TEXTS: dict[ReasonCode, ReasonText] = {
    ReasonCode.MP_OBVIOUS: ReasonText(
        "Out of focus or another obvious fault",
        "The scan is out of focus or otherwise plainly at fault.",
        "Set the focus for this eye's refraction, let the patient blink, clean the lens, and take the scan again.",
        _YES,
    ),
    ReasonCode.MP_SIGNAL: ReasonText(
        "Weak signal or shadow",
        "Signal is weak, or part of the field lies in shadow.",
        "Centre the pupil, adjust the working distance, use tear drops or let the patient blink, dilate where the "
        "protocol allows, and take the scan again. If it stays dark, say so: the eye's media may be cloudy.",
        _UNKNOWN,
    ),
    ReasonCode.MP_CENTRATION: ReasonText(
        "Off centre",
        "The fovea lies too far from the centre of the scan.",
        "Check that the patient looks at the target, move the scan onto the fovea, and take it again.",
        _YES,
    ),
    ReasonCode.MP_ALGORITHM: ReasonText(
        "Layer segmentation failed",
        "The device drew the layers wrongly, so the slab shows the wrong tissue.",
        "Correct the layer lines in the device's software and export again; no new scan is needed.",
        _YES,
    ),
    ReasonCode.MP_PATHOLOGY: ReasonText(
        "Retinal pathology",
        "The retina itself is changed by disease.",
        "Nothing to repeat. In a trial of that disease this is a note and no rejection.",
        _NO,
    ),
    ReasonCode.MP_MOTION: ReasonText(
        "Motion",
        "The eye moved: lines are shifted, doubled, stretched or bright.",
        "Explain again to look at the target, let the patient blink just before, switch eye tracking on, rest the "
        "forehead, and take the scan again.",
        _YES,
    ),
    ReasonCode.MP_PROJECTION: ReasonText(
        "Projection of upper vessels",
        "Vessels of the layers above show in this slab.",
        "Export again with projection removal switched on; no new scan is needed.",
        _YES,
    ),
    ReasonCode.IB_OBVIOUS: ReasonText(
        "Out of focus or another obvious fault",
        "The scan is out of focus, cut off, or otherwise plainly at fault.",
        "Set the focus, place the retina fully inside the window, and take the scan again.",
        _YES,
    ),
    ReasonCode.IB_SIGNAL: ReasonText(
        "Weak signal",
        "Signal is weak for this device.",
        "Centre the pupil, use tear drops, dilate where the protocol allows, and take the scan again.",
        _UNKNOWN,
    ),
    ReasonCode.IB_CENTRATION: ReasonText(
        "Off centre",
        "The scan is not centred on its target.",
        "Check fixation, centre the scan, and take it again.",
        _YES,
    ),
    ReasonCode.IB_ALGORITHM: ReasonText(
        "Layer segmentation failed",
        "The device drew the layers wrongly.",
        "Correct the layer lines in the device's software and export again; no new scan is needed.",
        _YES,
    ),
    ReasonCode.IB_PATHOLOGY: ReasonText(
        "Retinal pathology",
        "The retina itself is changed by disease.",
        "Nothing to repeat. In a trial of that disease this is a note and no rejection.",
        _NO,
    ),
    ReasonCode.IB_ILLUMINATION: ReasonText(
        "Poor illumination",
        "The fundus is unevenly or badly lit.",
        "Centre the pupil, adjust the distance until the fundus image is evenly lit, and take the scan again.",
        _YES,
    ),
    ReasonCode.IB_BEAM: ReasonText(
        "Beam not through the pupil's centre",
        "The beam does not pass through the centre of the pupil: one side of a layer is darker.",
        "Move the device until both sides of the layers are equally bright, and take the scan again.",
        _YES,
    ),
    ReasonCode.NOT_OCTA: ReasonText(
        "Not an OCTA en-face image",
        "This does not look like an OCTA en-face image.",
        "Check that the right file was exported and that its kind is entered correctly, then upload it again.",
        _YES,
    ),
    ReasonCode.NOT_OF_KIND: ReasonText(
        "Not a scan of its kind",
        "This does not look like a scan of the kind that it was sent as.",
        "Check that the right file was exported and that its kind is entered correctly, then upload it again.",
        _YES,
    ),
    ReasonCode.ABSTAINED: ReasonText(
        "Model not sure",
        "The model is not sure enough of this scan to decide.",
        "A person at the reading centre must grade it; the site need do nothing now.",
        _UNKNOWN,
    ),
    ReasonCode.UNSEEN_DEVICE: ReasonText(
        "Device unknown to the model",
        "The model's accept threshold was not calibrated on scans of this device.",
        "A person at the reading centre must grade it. Calibrate the model on graded scans of this device, or name the "
        "device in the protocol if you vouch for it.",
        _NO,
    ),
    ReasonCode.UNSEEN_FIELD: ReasonText(
        "Field size unknown to the model",
        "The model's accept threshold was not calibrated on scans of this field size.",
        "A person at the reading centre must grade it. Check that the field's size was entered correctly.",
        _NO,
    ),
    ReasonCode.UNSEEN_SLAB: ReasonText(
        "Slab unknown to the model",
        "The model's accept threshold was not calibrated on scans of this slab.",
        "A person at the reading centre must grade it. Check that the slab was entered correctly.",
        _NO,
    ),
    ReasonCode.UNGRADABLE: ReasonText(
        "Ungradable without a measured cause",
        "The model finds the scan ungradable, but no artifact it measures explains why.",
        "A person at the reading centre must look for the cause before the site is asked to repeat the scan.",
        _UNKNOWN,
    ),
    ReasonCode.CAM_DISAGREEMENT: ReasonText(
        "Evidence beside the artifacts",
        "What made the model say ungradable does not lie on the artifacts it marked.",
        "A person at the reading centre must look at both overlays.",
        _UNKNOWN,
    ),
    ReasonCode.LESION_DISAGREEMENT: ReasonText(
        "Class and lesions disagree",
        "The class the model gives and the lesions it marks do not fit each other, or it cannot tell where they lie.",
        "A person at the reading centre must look at the scan, the heat map and, where there is one, the lesion mask.",
        _UNKNOWN,
    ),
    ReasonCode.SLAB_DISAGREEMENT: ReasonText(
        "Slabs disagree",
        "This slab and the superficial slab of the same capture differ in whether they can be graded.",
        "A person at the reading centre must compare the slabs; wrong layer lines are a frequent cause.",
        _UNKNOWN,
    ),
    ReasonCode.NO_SCALE: ReasonText(
        "No scale",
        "The size of the scanned field is not known, so no value in millimetres can be given.",
        "Enter the field's width and height in mm, as the device shows them, and upload again.",
        _YES,
    ),
    ReasonCode.NO_CENTRATION: ReasonText(
        "Fovea not found",
        "The fovea could not be found, so centration cannot be judged.",
        "A person at the reading centre must look; check fixation if the scan has to be repeated.",
        _UNKNOWN,
    ),
    ReasonCode.PROTOCOL: ReasonText(
        "Not as the protocol says",
        "The protocol does not expect a scan of this type.",
        "Take the scan with the field that the protocol names, or correct the field's size if it was entered wrongly.",
        _YES,
    ),
    ReasonCode.UNCERTIFIED: ReasonText(
        "Not certified",
        "The device or the technician is not certified for this study.",
        "Complete the certification; the reading centre decides whether this scan still counts.",
        _YES,
    ),
}
"""The wording of every code in the vocabulary; a protocol may replace texts and remedies."""

STRANGER_TEXTS: dict[GradeScale, str] = {
    GradeScale.ONH_4: "This does not look like an en-face image of the optic disc.",
    GradeScale.STRUCTURAL_2: "This does not look like an OCT B-scan, or like a stack of them.",
}
"""What NOT_OF_KIND says of a scan whose grade is on this scale: which kind it does not look like."""

ARTIFACT_REASON: dict[ArtifactType, ReasonCode] = {
    ArtifactType.MOTION: ReasonCode.MP_MOTION,
    ArtifactType.SHADOW: ReasonCode.MP_SIGNAL,
    ArtifactType.DEFOCUS: ReasonCode.MP_OBVIOUS,
    ArtifactType.LOW_SIGNAL: ReasonCode.MP_SIGNAL,
    ArtifactType.SHALLOW: ReasonCode.IB_SIGNAL,
    ArtifactType.DARK: ReasonCode.IB_SIGNAL,
}
"""Which criterion a measured artifact falls under."""

HUMAN_ONLY: frozenset[ReasonCode] = frozenset(
    {
        ReasonCode.MP_ALGORITHM,
        ReasonCode.MP_PATHOLOGY,
        ReasonCode.MP_PROJECTION,
        ReasonCode.IB_ALGORITHM,
        ReasonCode.IB_PATHOLOGY,
    }
)
"""Reasons that only a person may set."""


_CHECKLISTS = dict.fromkeys(ScanKind, "oscar-ib:") | {ScanKind.OCTA_ENFACE: "oscar-mp:"}
"""How the codes of the criteria begin by which scans of a kind are looked through."""


def default_reason(code: ReasonCode) -> Reason:
    """The reason with the wording above."""
    wording = REASON_TEXTS[code]
    return Reason(code, wording.operator_fixable, wording.text, wording.remedy)


def review_form_codes(kind: ScanKind) -> tuple[ReasonCode, ...]:
    """The checklist a person ticks for a scan of this kind, in the order of its name: OSCAR-MP or OSCAR-IB."""
    return tuple(code for code in ReasonCode if code.value.startswith(_CHECKLISTS[kind]))

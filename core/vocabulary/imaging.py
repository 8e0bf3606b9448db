"""What is seen on a scan and what is said of it: eye, kind, slab, grade, artifacts, verdict, reasons."""

from enum import IntEnum, StrEnum


class Laterality(StrEnum):
    """Which eye. A scan shows one eye; OU is never a scan's laterality."""

    OD = "OD"
    """Right eye (oculus dexter), DICOM R."""
    OS = "OS"
    """Left eye (oculus sinister), DICOM L."""


class ScanKind(StrEnum):
    """What a scan is a picture of; each kind has one scoring lane of the same name."""

    OCTA_ENFACE = "octa-enface"
    ONH_ENFACE = "onh-enface"
    BSCAN = "bscan"
    VOLUME = "volume"


class ScanPattern(StrEnum):
    """How the B-scans of a structural capture lie on the fundus. Only a volume has a surface between them."""

    LINE = "line"
    CIRCLE = "circle"
    RADIAL = "radial"
    VOLUME = "volume"
    UNKNOWN = "unknown"


class LayerScheme(StrEnum):
    """Which classes a layer network tells apart; layers lie in each column in the order of their numbers."""

    RETINA = "retina"
    """The whole retina against background (paper 004, whole retina)."""
    FIVE = "five"
    """Background, rest of retina, photoreceptor layer, transition, pigment epithelium (paper 004, layers)."""
    DUKE_7 = "duke-7"
    """Background and seven layers (Chiu et al. 2015, doi:10.1364/BOE.6.001155)."""


class Slab(StrEnum):
    """The retinal layer band an en-face image was projected from (Campbell 2017, doi:10.1038/srep42201)."""

    SUPERFICIAL = "superficial"
    DEEP = "deep"
    INNER_RETINA = "inner-retina"
    FULL_RETINA = "full-retina"
    CHORIOCAPILLARIS = "choriocapillaris"
    UNKNOWN = "unknown"


class ScaleSource(StrEnum):
    """Where a scan's millimetre scale was read. There is no value for a guess."""

    FILE = "file"
    MANIFEST = "manifest"
    DEVICE_PROFILE = "device profile"
    COMMAND_LINE = "command line"


class GradeScale(StrEnum):
    """The named ordinal scales a grade can be on."""

    COIPS_3 = "coips-3"
    """0 ungradable, 1 gradable, 2 outstanding (Wang et al. 2021, COIPS, Table 2)."""
    ONH_4 = "onh-4"
    """0 unusable to 3 no concern."""
    STRUCTURAL_2 = "structural-2"
    """0 not usable, 1 usable, by what a program can read of OSCAR-IB (Tewarie et al. 2012)."""


class OrdinalGrade(IntEnum):
    """A grade of a named ordinal scale; each scale is a subclass."""

    @property
    def label(self) -> str:
        """How it is spelt in records and probabilities: "outstanding", "no concern"."""
        return self.name.lower().replace("_", " ")


class CoipsGrade(OrdinalGrade):
    """Ordinals of the scale coips-3. A scan is gradable from ordinal 1 on."""

    UNGRADABLE = 0
    GRADABLE = 1
    OUTSTANDING = 2


class StructuralGrade(OrdinalGrade):
    """Ordinals of the scale structural-2."""

    NOT_USABLE = 0
    USABLE = 1


class OnhGrade(OrdinalGrade):
    """Ordinals of the scale onh-4. The poster (Wu et al., paper 000) names the ends; the two words between are ours."""

    UNUSABLE = 0
    POOR = 1
    FAIR = 2
    NO_CONCERN = 3


SCALE_OF_KIND = {
    ScanKind.OCTA_ENFACE: GradeScale.COIPS_3,
    ScanKind.ONH_ENFACE: GradeScale.ONH_4,
    ScanKind.BSCAN: GradeScale.STRUCTURAL_2,
    ScanKind.VOLUME: GradeScale.STRUCTURAL_2,
}
"""The scale on which people and models grade a kind of scan. On each a scan is gradable from ordinal 1 on."""

GRADES_OF_SCALE: dict[GradeScale, type[OrdinalGrade]] = {
    GradeScale.COIPS_3: CoipsGrade,
    GradeScale.ONH_4: OnhGrade,
    GradeScale.STRUCTURAL_2: StructuralGrade,
}


class ArtifactType(StrEnum):
    """Artifacts that a lane masks."""

    MOTION = "motion"
    SHADOW = "shadow"
    DEFOCUS = "defocus"
    LOW_SIGNAL = "low_signal"
    SHALLOW = "shallow"
    """Partial loss of signal on an en-face image of the optic nerve head: dimmer, not black."""
    DARK = "dark"
    """Loss of signal on an en-face image of the optic nerve head down to black."""


OCTA_ARTIFACTS = (ArtifactType.MOTION, ArtifactType.SHADOW, ArtifactType.DEFOCUS, ArtifactType.LOW_SIGNAL)
"""What the OCTA en-face lane masks, in channel order of its network's head."""
ONH_ARTIFACTS = (ArtifactType.SHALLOW, ArtifactType.DARK, ArtifactType.MOTION)
"""What the ONH en-face lane masks, in channel order of its network's head behind background and optic nerve head."""


class Severity(StrEnum):
    """How much of the region of interest an artifact takes: < 1 %, 1-10 %, > 10 %."""

    NONE = "none"
    MILD = "mild"
    SEVERE = "severe"


class Verdict(StrEnum):
    """What the policy says should happen to a scan."""

    ACCEPT = "accept"
    REVIEW = "review"
    REACQUIRE = "reacquire"


class OperatorFixable(StrEnum):
    """Whether the operator at the device can cure the reason by taking the scan again."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


class ReasonCode(StrEnum):
    """Why a scan is flagged: OSCAR-MP for OCTA, OSCAR-IB for structural OCT, our own codes beside them.

    OSCAR-MP: Wicklein et al. 2023, doi:10.1212/NXI.0000000000200169.
    OSCAR-IB: Tewarie et al. 2012, doi:10.1371/journal.pone.0034823.
    """

    MP_OBVIOUS = "oscar-mp:O"
    MP_SIGNAL = "oscar-mp:S"
    MP_CENTRATION = "oscar-mp:C"
    MP_ALGORITHM = "oscar-mp:A"
    MP_PATHOLOGY = "oscar-mp:R"
    MP_MOTION = "oscar-mp:M"
    MP_PROJECTION = "oscar-mp:P"
    IB_OBVIOUS = "oscar-ib:O"
    IB_SIGNAL = "oscar-ib:S"
    IB_CENTRATION = "oscar-ib:C"
    IB_ALGORITHM = "oscar-ib:A"
    IB_PATHOLOGY = "oscar-ib:R"
    IB_ILLUMINATION = "oscar-ib:I"
    IB_BEAM = "oscar-ib:B"
    NOT_OCTA = "octaudit:not-octa"
    NOT_OF_KIND = "octaudit:not-of-kind"
    ABSTAINED = "octaudit:abstained"
    UNSEEN_DEVICE = "octaudit:unseen-device"
    UNSEEN_FIELD = "octaudit:unseen-field"
    UNSEEN_SLAB = "octaudit:unseen-slab"
    UNGRADABLE = "octaudit:ungradable"
    CAM_DISAGREEMENT = "octaudit:cam-disagreement"
    LESION_DISAGREEMENT = "octaudit:lesion-disagreement"
    SLAB_DISAGREEMENT = "octaudit:slab-disagreement"
    NO_SCALE = "octaudit:no-scale"
    NO_CENTRATION = "octaudit:no-centration"
    PROTOCOL = "octaudit:protocol"
    UNCERTIFIED = "octaudit:uncertified"

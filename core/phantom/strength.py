"""From an artifact's strength to how much of the field it takes, and from the truth to a grade."""

from functools import lru_cache

import numpy as np

from core.phantom.spec import OctaPhantomSpec
from core.values import CENTRATION_LOSS, SeverityThresholds
from core.vocabulary import OCTA_ARTIFACTS, ArtifactType, CoipsGrade, Severity

FARTHEST_OFFSET = 0.35
"""Offset of the fovea at decentration 1, as a share of the field's width."""

STRENGTH_KNOTS = (0.0, 0.1, 0.4, 0.7, 1.0)
"""Strengths between which the share of the field runs straight: 0.1 and 0.4 are the borders of mild."""

_LARGEST_SHARE = {
    ArtifactType.MOTION: 0.5,
    ArtifactType.SHADOW: 0.5,
    ArtifactType.DEFOCUS: 1.0,
    ArtifactType.LOW_SIGNAL: 1.0,
}

_BLURRING = {ArtifactType.LOW_SIGNAL, ArtifactType.DEFOCUS}
"""Severe, these alone hide the vessels; a severe stripe or shadow leaves the rest of the field readable."""

HOPELESS_SHARE = 0.25
"""A quarter of the field lost to whatever cause leaves less than a measurement needs; our choice."""


def share_of_field(artifact: ArtifactType, strength: float) -> float:
    """The share of the field (motion: of the lines) that an artifact of this strength aims at, 0..1.

    0.1 gives 1 % and 0.4 gives 10 %, the borders of mild in the contracts; 0.7 gives 30 %; 1 gives half the
    field for motion and shadow, all of it for defocus and low signal.
    """
    shares = (0.0, 0.01, 0.10, 0.30, _LARGEST_SHARE[artifact])
    return float(np.interp(strength, STRENGTH_KNOTS, shares))


def severity_of_share(share: float) -> Severity:
    """Severity by the contracts' borders: none < 1 %, mild 1-10 %, severe > 10 %."""
    return SeverityThresholds().severity(share)


@lru_cache(maxsize=1024)
def centration_severity(offset: tuple[float, float]) -> Severity:
    """Severity of an offset of the fovea (x, y as shares of the field's width).

    Counts which share of the fovea-centred circle of the field's size falls outside the field.
    """
    axis = np.linspace(-0.5, 0.5, 201)
    x, y = np.meshgrid(axis, axis)
    circle = np.hypot(x, y) <= 0.5  # noqa: PLR2004 - half the field's width
    outside = np.maximum(np.abs(x + offset[0]), np.abs(y + offset[1])) > 0.5  # noqa: PLR2004 - the same
    return CENTRATION_LOSS.severity(float((circle & outside).sum() / circle.sum()))


def foreseen_ordinal(spec: OctaPhantomSpec) -> CoipsGrade:
    """The grade a rendering of ``spec`` will have, from its strengths alone.

    Exact unless a strength lies at a border or the wobble of fixation adds to a decentration near one.
    """
    shares = {kind: share_of_field(kind, spec.strength(kind)) for kind in OCTA_ARTIFACTS}
    severities = {kind: severity_of_share(share) for kind, share in shares.items()}
    centration = centration_severity((FARTHEST_OFFSET * spec.decentration, 0.0)) if spec.has_faz else None
    return true_ordinal(severities, shares, centration)


def true_ordinal(
    severities: dict[ArtifactType, Severity],
    shares: dict[ArtifactType, float],
    centration: Severity | None,
) -> CoipsGrade:
    """The grade that the truth implies, after COIPS's Table 2 (Wang et al. 2021).

    Ungradable ("insufficient; macula off-centered or blurring; vessels blurring"): low signal or defocus severe; two
    artifacts severe; one artifact over more than HOPELESS_SHARE of the field; or the macula far off centre or not
    visible (``centration`` severe or None).
    Gradable ("moderate blurring or stripe noise; macula clear"): any other artifact or a macula somewhat off.
    Outstanding: none of these.

    On the 200 graded real scans beside the project the same rule on the readers' severities gives their consensus grade
    in 88 %; "any severe artifact is ungradable" gives it in 71 %.
    """
    severe = {kind for kind, severity in severities.items() if severity is Severity.SEVERE}
    if centration in (None, Severity.SEVERE) or len(severe) > 1 or severe & _BLURRING:
        return CoipsGrade.UNGRADABLE
    if max(shares.values()) > HOPELESS_SHARE:
        return CoipsGrade.UNGRADABLE
    if centration is Severity.MILD or severe or Severity.MILD in severities.values():
        return CoipsGrade.GRADABLE
    return CoipsGrade.OUTSTANDING

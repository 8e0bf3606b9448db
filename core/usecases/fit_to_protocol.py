"""Fits scores to a study's protocol: artifacts and centration by its region and borders, abstention by its level."""

from dataclasses import replace

from core.measures.artifacts import scores_in_region
from core.measures.centration import centration
from core.measures.regions import region_of_interest
from core.policy.protocol import Protocol
from core.scoring.acceptance import with_abstention
from core.scoring.card import Calibration
from core.values import NotComputable, OctaFindings, Scale, ScanScores

_DEFAULT = Protocol.default()


def fit_to_protocol(
    scores: ScanScores, protocol: Protocol, scale: Scale | None, calibration: Calibration | None
) -> ScanScores:
    """The scores in the protocol's region of interest, by its borders and accept level; the masks stay whole.

    The scorer measures in the whole field by the default borders, so a protocol that asks for nothing else costs
    nothing. A circle in millimetres needs a scale; without one the whole field counts (a protocol may demand one).
    """
    measured = _fit_centration(_fit_artifacts(scores, protocol, scale), protocol, scale)
    return with_abstention(measured, calibration, protocol.conformal_level)


def _fit_artifacts(scores: ScanScores, protocol: Protocol, scale: Scale | None) -> ScanScores:
    is_default = protocol.region_diameter_mm is None and protocol.artifact_borders == _DEFAULT.artifact_borders
    return scores if is_default else measure_artifacts(scores, protocol, scale)


def measure_artifacts(scores: ScanScores, protocol: Protocol, scale: Scale | None) -> ScanScores:
    """The artifacts measured from their masks in the protocol's region, by its borders."""
    shape = scores.shape_px
    region = region_of_interest(shape, scale, protocol.region_diameter_mm)
    if isinstance(region, NotComputable) or not region.any():
        region = region_of_interest(shape, scale, None)
    assert not isinstance(region, NotComputable), "the whole field needs no scale"
    borders = protocol.artifact_borders.thresholds
    return replace(scores, artifacts=scores_in_region(scores.artifacts, region, borders))


def measure_centration(scores: ScanScores, protocol: Protocol, scale: Scale | None) -> ScanScores:
    """The centration measured from the FAZ's mask, by the protocol's borders; other lanes' scores stay as they are."""
    if not isinstance(scores.findings, OctaFindings):
        return scores
    found = centration(scores.findings.faz_mask, scale, protocol.centration_borders.thresholds)
    return replace(scores, centration=found)


def _fit_centration(scores: ScanScores, protocol: Protocol, scale: Scale | None) -> ScanScores:
    is_default = protocol.centration_borders == _DEFAULT.centration_borders
    return scores if is_default else measure_centration(scores, protocol, scale)

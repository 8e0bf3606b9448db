"""How a device and its export software draw an eye, and four looks by name."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DeviceLook:
    """How a device and its export software draw the same eye: grain, contrast, noise floor.

    Attributes
    ----------
    native_px : int or None
        Lines the device really scans; the image is resampled from it. None: the image's own height.
    spread_px : float
        Blur of the export where it is not resampled, as the sigma of a Gaussian.
    speckle, floor, line_noise : float, 0..1
        Multiplicative grain, additive background noise, and line-to-line gain error.
    gain, black, gamma : float
        The export's tone curve: out = (gain * (signal - black)) ** gamma, clipped.
    mesh_gain : float
        How bright capillaries are against large vessels.
    mesh_contrast : float, 0..1
        How much darker the gaps of the capillary bed are than its capillaries.
    shade : float, 0..1
        Uneven light over the whole field, as a share of it; the ordinary kind that no reader calls a shadow.
    macular_dimming : float, 0..1
        How much dimmer capillaries are in a broad oval around the fovea than along the arcades, as thin slabs near the
        nerve fibre layer show it.
    """

    native_px: int | None = None
    spread_px: float = 0.62
    speckle: float = 0.62
    floor: float = 0.13
    line_noise: float = 0.05
    gain: float = 1.22
    black: float = 0.07
    gamma: float = 1.0
    mesh_gain: float = 1.0
    mesh_contrast: float = 0.78
    shade: float = 0.0
    macular_dimming: float = 0.0


LOOKS: dict[str, DeviceLook] = {
    "crisp": DeviceLook(),
    "smooth": DeviceLook(native_px=256, speckle=0.5, floor=0.12, line_noise=0.12, gain=1.05, black=0.08),
    "harsh": DeviceLook(speckle=0.8, floor=0.12, line_noise=0.1, gain=1.6, black=0.12),
    "dim": DeviceLook(native_px=280, speckle=0.55, floor=0.16, line_noise=0.1, gain=0.9),
}
"""Four typical looks of real exports."""

"""How each stored measure is named, in which unit and with how many decimals. Holds no values."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MeasureWords:
    """Name on screen, unit (empty: none), decimals, and a sentence that says what it is."""

    name: str
    unit: str
    decimals: int
    meaning: str


FAZ = "Foveal avascular zone"
CENTRATION = "Centration"
VESSELS = "Vessels"
INDICES = "Image"
MEASURES: dict[str, dict[str, MeasureWords]] = {
    FAZ: {
        "faz_area_mm2": MeasureWords("Area", "mm²", 3, "Area of the FAZ."),
        "faz_perimeter_mm": MeasureWords("Perimeter", "mm", 2, "Length of the FAZ's outline."),
        "faz_acircularity_index": MeasureWords(
            "Acircularity index", "", 2, "Perimeter over that of the circle of equal area; 1 is a circle."
        ),
        "faz_circularity": MeasureWords("Circularity", "", 2, "4π area over squared perimeter; 1 is a circle."),
        "faz_axis_ratio": MeasureWords("Axis ratio", "", 2, "Major over minor axis; 1 is round."),
    },
    CENTRATION: {
        "centration_offset_mm": MeasureWords("Offset of the FAZ", "mm", 2, "From the image's centre to the FAZ's."),
        "centration_offset_fraction": MeasureWords("Offset, of the field", "%", 1, "The same, of the field's width."),
    },
    VESSELS: {
        "large_vessel_area_density_percent": MeasureWords(
            "Large vessels", "% of the field", 1, "Share of the field under large vessels."
        ),
        "perfusion_density_percent": MeasureWords(
            "Perfusion density", "% of the field", 1, "Share of the field that a local threshold calls vessel."
        ),
        "skeleton_density_per_mm": MeasureWords(
            "Skeleton density", "mm/mm²", 1, "Length of all vessels over the field's area."
        ),
        "fd_300_percent": MeasureWords(
            "FD-300", "% of the ring", 1, "Perfusion density in the ring of 0.3 mm around the FAZ."
        ),
    },
    INDICES: {
        "blurriness": MeasureWords("Blurriness", "", 4, "QU-Net++'s index of blur."),
        "psnr_inverse": MeasureWords("Inverse PSNR", "", 2, "QU-Net++'s index of noise."),
        "cov": MeasureWords("Coefficient of variation", "", 2, "QU-Net++'s index of spread of grey levels."),
        "mean": MeasureWords("Mean grey level", "of 255", 1, "Mean of all pixels."),
        "q_level_agreement": MeasureWords(
            "Level agreement",
            "",
            2,
            "What the network's last two levels both find, as a share of what either finds. "
            "Low: the model lacks training on such an image; it is no quality of the scan.",
        ),
        "cam_mask_agreement": MeasureWords(
            "Grad-CAM on artifacts", "", 2, "How far the heat map lies on the marked artifacts."
        ),
    },
}
"""The measures by group, in the order of the page."""
PERCENT_UNIT = "%"

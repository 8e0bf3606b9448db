"""The comparison with paper 003: printed figures as data, differences over seeds, and the tables themselves."""

from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from core.errors import UsageError
from core.scoring.published_bscan import published_rows, systems_of
from core.training.bscan.table import comparison_tables
from core.training.bscan.tables import (
    BSCAN_TABLES,
    CAM_UNET,
    CM_CNN,
    RES18_UNET,
    RESNET,
    TABLES_NAME,
    BscanTables,
    SystemFigures,
    differences,
    train_tables,
)
from core.training.supervised.run import Request


def row(system: str, figure: str, values: tuple[float | None, ...]) -> SystemFigures:
    return SystemFigures(system=system, size_mib=1.0, figures={figure: values})


@pytest.mark.parametrize(
    ("table", "system", "name", "value"),
    [
        ("Table 2", "CM-CNN", "accuracy", 0.9693),
        ("Table 2", "VGG16", "drusen: sensitivity", 0.78),
        ("Table 3", "PSPNet + CAM", "Dice", 0.7311),
        ("Table 5", "ResNet18(mask)", "kappa", 0.9339),
        ("Table 6", "CAM-UNet*", "IoU", 0.6557),
        ("Table 9", "CM-CNN + CAM-UNet", "accuracy", 0.97),
    ],
)
def test_printed_figures_are_those_of_the_paper(table: str, system: str, name: str, value: float) -> None:
    found = [each.value for each in published_rows() if (each.table, each.system, each.name) == (table, system, name)]
    assert found == [value]


def test_every_table_has_all_its_systems() -> None:
    assert len(systems_of("Table 2")) == 6
    assert len(systems_of("Table 3")) == 9
    assert systems_of("Table 6") == ("Res18-UNet", "CAM-UNet*", "CAM-UNet")


def test_a_difference_is_paired_by_seed_and_names_its_direction() -> None:
    systems = {
        CM_CNN: row(CM_CNN, "accuracy", (0.91, 0.81, 0.71)),
        RESNET: row(RESNET, "accuracy", (0.90, 0.79, 0.70)),
        CAM_UNET: row(CAM_UNET, "Dice", (0.5, 0.4, 0.6)),
        RES18_UNET: row(RES18_UNET, "Dice", (0.6, 0.5, 0.7)),
    }
    classes, masks = differences(systems)
    assert classes.mean == pytest.approx(4 / 300)
    assert classes.low is not None
    assert classes.high is not None
    # 4.303 standard errors of (0.01, 0.02, 0.01): t with two degrees of freedom.
    assert classes.high - classes.mean == pytest.approx(4.3027 * 0.0057735 / 3**0.5, rel=1e-3)
    assert "no difference shown" in classes.words
    assert "worse, against the publication" in masks.words


def test_one_seed_gives_no_interval() -> None:
    systems = {CM_CNN: row(CM_CNN, "accuracy", (0.9,)), RESNET: row(RESNET, "accuracy", (0.8,))}
    (found,) = differences(systems)
    assert found.low is None
    assert "one seed" in found.words


def test_an_unknown_system_is_refused_by_name(bscan_folder: Path, tmp_path: Path) -> None:
    recipe = BSCAN_TABLES.changed({"systems": ["CM-CNN", "AlexNet"]})
    with pytest.raises(UsageError, match="AlexNet"):
        train_tables(Request(recipe, bscan_folder, tmp_path))


def test_our_rows_stand_beside_the_printed_ones(bscan_folder: Path, tmp_path: Path) -> None:
    recipe = BSCAN_TABLES.changed(
        {
            "image_px": 64, "epochs": 1, "batches_per_epoch": 1, "encoder_channels": [8, 8, 8, 8],
            "decoder_channels": [8, 8, 8, 8], "n_seeds": 2, "systems": [RESNET, CM_CNN, RES18_UNET, CAM_UNET],
        }
    )  # fmt: skip
    found = train_tables(Request(recipe, bscan_folder, tmp_path / "tables", device="cpu"))
    stored = (tmp_path / "tables" / TABLES_NAME).read_text(encoding="utf-8")
    assert BscanTables.model_validate_json(stored) == found
    assert [system.system for system in found.systems] == [RESNET, CM_CNN, RES18_UNET, CAM_UNET]
    assert len(found.differences) == 2
    console = Console(width=200, record=True, file=StringIO())
    for table in comparison_tables(found):
        console.print(table)
    text = console.export_text()
    assert "Table 2: classification networks" in text
    assert "0.9693" in text
    ours = next(system for system in found.systems if system.system == CM_CNN).mean("accuracy")
    assert f"{ours:.4f}" in text

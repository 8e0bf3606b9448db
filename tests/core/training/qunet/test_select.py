"""octaudit select: a first set without masks, what lacks training with them, weights that go on round after round."""

import csv
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from core.commands.select import command
from core.errors import UsageError
from core.scoring.qunet_card import QuNetCard
from core.training.qunet.phantoms import write_stacks
from core.training.qunet.slices import read_slices
from core.training.supervised.record import ManifestError

SMALL = ("--set", "image_px=32", "--set", "base_channels=2", "--set", "epochs=1", "--set", "batch_size=2")


@pytest.fixture
def stacks(tmp_path: Path) -> Path:
    """Two stacks of three simulated B-scans; masks are kept apart until they are "drawn"."""
    write_stacks(tmp_path, n_stacks=2, n_slices=3)
    (tmp_path / "masks").rename(tmp_path / "truth")
    (tmp_path / "masks").mkdir()
    return tmp_path


def run(folder: Path, *more: str) -> tuple[str, list[dict[str, str]]]:
    arguments = ["--data", str(folder), "--out", str(folder / "next.csv"), *more]
    found = CliRunner().invoke(command, arguments, catch_exceptions=False)
    with (folder / "next.csv").open(encoding="utf-8") as file:
        return found.output, list(csv.DictReader(file))


def draw(folder: Path, rows: list[dict[str, str]]) -> None:
    for row in rows:
        name = Path(row["file"]).name
        (folder / "truth" / name).rename(folder / "masks" / name)


def test_rounds_of_annotation_go_from_a_first_set_to_what_the_levels_disagree_on(stacks: Path) -> None:
    said, rows = run(stacks)
    chosen = [row for row in rows if row["standing"] == "first set"]
    assert said.startswith(f"First set: annotate {len(chosen)} of 6 images")
    assert [row["rank"] for row in chosen] == [str(n) for n in range(1, len(chosen) + 1)]
    assert {row["note"] for row in rows} == {"no network was asked"}

    draw(stacks, chosen[:1])
    said, rows = run(stacks, *SMALL, "--q0", "1")
    wanted = [row for row in rows if row["standing"] == "lacks training"]
    assert [float(row["q"]) for row in wanted] == sorted(float(row["q"]) for row in wanted)
    assert len(wanted) == 5
    first_card = QuNetCard.beside(stacks / "next-qunet" / "round-0001" / "qunet.safetensors")
    assert (first_card.init_sha256, len(first_card.mask_levels)) == (None, 8)

    draw(stacks, wanted[:1])
    said, rows = run(stacks, *SMALL, "--q0", "1", "--share", "0.5")
    assert said.startswith("Annotate 1 more of 6 images; with the 2 that have a mask that makes 50%.")
    card = QuNetCard.beside(stacks / "next-qunet" / "round-0002" / "qunet.safetensors")
    assert card.init_sha256 == first_card.weights_sha256
    assert card.commands[0].startswith("octaudit select")

    said, rows = run(stacks, "--model", str(stacks / "next-qunet" / "round-0002" / "qunet.safetensors"), "--q0", "0")
    assert said.startswith("Nothing more to annotate")
    assert {row["standing"] for row in rows} == {"annotated", "not needed"}


def test_every_fault_of_a_folder_is_named_at_once(stacks: Path) -> None:
    names = sorted(path.name for path in (stacks / "images").iterdir())
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(stacks / "masks" / names[0])
    Image.fromarray(np.arange(256 * 256, dtype=np.uint32).astype(np.uint8).reshape(256, 256)).save(
        stacks / "masks" / names[1]
    )
    (stacks / "masks" / names[2]).write_bytes(b"no picture")
    (stacks / "images" / names[3]).write_bytes(b"no picture")
    with pytest.raises(ManifestError) as raised:
        read_slices(stacks)
    assert len(raised.value.faults) == 4


def test_a_manifest_may_leave_masks_out_and_a_folder_without_images_is_refused(stacks: Path, tmp_path: Path) -> None:
    names = sorted(path.name for path in (stacks / "images").iterdir())
    (stacks / "truth" / names[0]).rename(stacks / "masks" / names[0])
    lines = ["file,subject,mask", f"images/{names[0]},A,masks/{names[0]}", f"images/{names[1]},B,"]
    (stacks / "manifest.csv").write_text("\n".join(lines), encoding="utf-8")
    folder = read_slices(stacks)
    assert [picture.record.subject for picture in folder.pictures] == ["A", "B"]
    assert (len(folder.annotated), folder.levels[0]) == (1, 0)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="holds no images"):
        read_slices(tmp_path / "empty")

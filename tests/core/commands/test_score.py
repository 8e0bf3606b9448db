"""`octaudit score`: the record, the pictures, the errors and the exit codes that the contract promises."""

import json
from pathlib import Path

import numpy as np
import pytest
from calibrations import make_calibration
from click.testing import CliRunner
from PIL import Image

from core.commands.score import command, parse_field_mm, protocol_at
from core.errors import UsageError
from core.phantom.octa import render_octa
from core.phantom.spec import OctaPhantomSpec
from core.scoring.registry import load_scorer
from core.usecases.score_files import N_ERRORS_TOLD, unique_stems
from core.vocabulary import OCTA_ARTIFACTS, ScanKind

KEYS = {
    "file", "sha256", "kind", "width_px", "height_px", "scale", "grade", "artifacts", "faz", "centration", "indices",
    "verdict", "reasons", "cam", "model", "seconds",
}  # fmt: skip


def write(path: Path, image: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path)


def score(*arguments) -> tuple[int, str]:
    done = CliRunner().invoke(command, [str(argument) for argument in arguments], catch_exceptions=False)
    return done.exit_code, done.output


def records(out: Path) -> list[dict]:
    return [json.loads(line) for line in (out / "results.jsonl").read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two good scans of different sizes that share a name, a bad one, a text file called PNG, a cut-off PNG."""
    root = tmp_path_factory.mktemp("scans")
    good = render_octa(OctaPhantomSpec(size_px=304), 1).image
    write(root / "a.png", good)
    write(root / "sub" / "a.png", good[:, :240])
    write(root / "b.tif", render_octa(OctaPhantomSpec(size_px=320, low_signal=0.95, motion=0.9), 2).image)
    (root / "c.png").write_text("no picture")
    (root / "d.png").write_bytes((root / "a.png").read_bytes()[:2000])
    (root / "notes.txt").write_text("not looked at")
    return root


@pytest.fixture(scope="module")
def scored(folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("scores")
    code, output = score(
        folder, "--out", out, "--fov-mm", 3, "--slab", "superficial", "--batch-size", 2, "--device", "cpu"
    )
    return code, output, out


def test_some_bad_files_exit_with_3_and_the_others_are_done(scored):
    code, output, _ = scored
    assert code == 3
    assert "3 scored, 2 failed" in output


def test_the_terminal_says_what_became_of_the_files_and_why_some_failed(scored):
    _, output, out = scored
    text = next(record for record in records(out) if record["file"] == "c.png")["error"]
    assert f"c.png: {text['message']} {text['remedy']}" in output
    verdicts = [record["verdict"] for record in records(out) if "verdict" in record]
    counts = ", ".join(f"{verdict} {verdicts.count(verdict)}" for verdict in ("accept", "review", "reacquire"))
    assert counts in output


def test_of_many_failures_the_first_are_told_and_the_rest_counted(tmp_path):
    for number in range(N_ERRORS_TOLD + 2):
        (tmp_path / f"{number}.png").write_text("no picture")
    code, output = score(tmp_path, "--out", tmp_path / "out", "--device", "cpu")
    assert code == 3
    assert output.count("no picture") == 0
    assert sum(line.partition(": ")[0].endswith(".png") for line in output.splitlines()) == N_ERRORS_TOLD
    assert "2 more could not be scored" in output


def test_there_is_one_record_per_file_in_input_order(scored):
    assert [record["file"] for record in records(scored[2])] == ["a.png", "b.tif", "c.png", "d.png", "sub/a.png"]


def test_a_record_has_what_the_contract_names(scored):
    first = records(scored[2])[0]
    assert set(first) >= KEYS
    assert first["scale"] == {
        "x_mm_per_px": pytest.approx(3 / 304, rel=1e-4),
        "y_mm_per_px": pytest.approx(3 / 304, rel=1e-4),
        "source": "command line",
        "axial_length_corrected": False,
    }
    assert list(first["grade"]["probabilities"]) == ["ungradable", "gradable", "outstanding"]
    assert sum(first["grade"]["probabilities"].values()) == pytest.approx(1, abs=1e-4)
    assert [artifact["type"] for artifact in first["artifacts"]] == [kind.value for kind in OCTA_ARTIFACTS]
    assert first["indices"]["q_level_agreement"] == {"not_computable": "no deep-supervision head"}
    assert first["verdict"] in {"accept", "review", "reacquire"}
    assert first["model"]["name"] == "octa-enface"
    assert len(first["sha256"]) == 64


def test_masks_and_cams_have_the_inputs_size_and_names_of_their_own(scored):
    out = scored[2]
    paths = []
    for record in records(out):
        if "error" in record:
            continue
        found = [artifact["mask"] for artifact in record["artifacts"]] + [record["faz"]["mask"]]
        found += [record["cam"]] if isinstance(record["cam"], str) else []
        for path in found:
            with Image.open(out / path) as picture:
                assert picture.size == (record["width_px"], record["height_px"])
                assert picture.mode == "L"
                if path.startswith("masks/"):
                    assert set(np.unique(np.asarray(picture))) <= {0, 255}
        paths += found
    assert len(paths) == len(set(paths)) >= 15


def test_a_file_that_cannot_be_read_says_why_and_what_to_do(scored):
    text, cut = records(scored[2])[2:4]
    assert set(text) == set(cut) == {"file", "error"}
    assert (text["error"]["code"], cut["error"]["code"]) == ("not_an_image", "damaged")
    assert all(record["error"]["message"] and record["error"]["remedy"] for record in (text, cut))


def test_without_a_field_nothing_is_in_millimetres(folder, tmp_path):
    code, _ = score(folder / "a.png", "--out", tmp_path, "--force-faz", "--device", "cpu")
    (record,) = records(tmp_path)
    assert code == 0
    assert record["scale"] == {"not_computable": "no scale"}
    assert record["faz"]["area_mm2"] == {"not_computable": "no scale"}


def test_a_manifest_gives_each_file_its_own_field_and_slab(folder, tmp_path):
    manifest = tmp_path / "m.csv"
    manifest.write_text("file,field_width_mm,field_height_mm,slab,eye\na.png,6,6,deep,OD\n")
    score(
        folder / "a.png", folder / "b.tif", "--out", tmp_path, "--fov-mm", 3, "--manifest", manifest, "--device", "cpu"
    )
    first, second = records(tmp_path)
    assert first["scale"]["source"] == "manifest"
    assert first["scale"]["x_mm_per_px"] == pytest.approx(6 / 304, rel=1e-4)
    assert second["scale"]["source"] == "command line"


def test_our_own_masks_inside_the_input_folder_are_not_scored_again(folder, tmp_path):
    write(tmp_path / "scan.png", np.asarray(Image.open(folder / "a.png")))
    for _ in range(2):
        score(tmp_path, "--out", tmp_path / "scores", "--device", "cpu")
    assert len(records(tmp_path / "scores")) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["missing.png"], "no file or folder"),
        ([Path(__file__).parent / "nothing", "--fov-mm", "3"], "no file or folder"),
        (["{folder}", "--fov-mm", "wide"], "no field of view"),
        (["{folder}", "--manifest", "none.csv"], "no manifest"),
        (["{folder}", "--model", "none.safetensors"], "has not both"),
    ],
)
def test_wrong_usage_is_refused_in_words(folder, tmp_path, arguments, message):
    filled = [str(argument).replace("{folder}", str(folder)) for argument in arguments]
    with pytest.raises(UsageError, match=message) as caught:
        score(*filled, "--out", tmp_path)
    assert caught.value.remedy


def test_a_field_is_square_unless_both_sides_are_given():
    assert parse_field_mm("3") == (3.0, 3.0)
    assert parse_field_mm("6x4.5mm") == (6.0, 4.5)
    assert parse_field_mm(None) is None


def test_stems_are_unique_even_where_a_numbered_name_is_taken():
    assert unique_stems(["a.png", "A.tif", "a-2.png", "sub/a.png", "sub_a.png"]) == [
        "a",
        "A-2",
        "a-2-2",
        "sub_a",
        "sub_a-2",
    ]


def test_the_records_agree_with_the_scorer_itself(folder, scored):
    from core.scoring.contract import ScanInput

    with Image.open(folder / "a.png") as picture:
        image = np.asarray(picture)
    (direct,) = load_scorer(ScanKind.OCTA_ENFACE, device="cpu").score([ScanInput("a", image, None)])
    record = records(scored[2])[0]
    for label, probability in direct.grade.probabilities.items():
        assert record["grade"]["probabilities"][label] == pytest.approx(probability, abs=1e-3)


def test_the_level_becomes_the_protocol_s_where_the_model_can_keep_it():
    calibration = make_calibration(199)
    assert protocol_at(None, calibration).conformal_level == 0.01
    assert protocol_at(0.05, calibration).conformal_level == 0.05
    assert protocol_at(None, None).conformal_level == 0.01


def test_a_level_that_cannot_be_kept_is_refused():
    with pytest.raises(UsageError, match="499 scans or more"):
        protocol_at(0.002, make_calibration(199))
    with pytest.raises(UsageError, match="has no calibration scans"):
        protocol_at(0.05, None)

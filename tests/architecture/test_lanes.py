"""One lane, one place: who asks which kind of scan it is, outside the lanes' own files, says why.

A lane's own files are those of its scoring, its training and its part of the Scan page; what differs by lane elsewhere
stands in a table by kind (core.wording, core.phantom writers, dashboard.components.lanes). A branch on one kind is found
by the parser: a comparison with a kind or its value, a `case`, `startswith`, or a look at the class of a lane's findings.
"""

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.vocabulary import ScanKind

ROOT = Path(__file__).parents[2]
LANES = (
    "core/scoring/lanes/",
    "core/scoring/torch_backend/",
    "core/training/",
    "core/phantom/",
    "dashboard/components/lanes/",
)

COLUMNS_OF_ITS_OWN = (
    "The first lane's findings are typed columns (FAZ, vessels, severities) that are counted and filtered; the others' are "
    "one document. The two forms differ, not the lanes: LaneFindings is asked of every lane but the first."
)
ONE_LANE_HAS_IT = "What it reads or writes exists for OCTA en-face alone: there is nothing for another lane to say."
FILES_HOLD_VOLUMES = (
    "A file that holds many B-scans is read as a volume by the lane that scores volumes, else as its image."
)
ALLOWED = {
    "core/values.py:octa": (1, COLUMNS_OF_ITS_OWN),
    "core/policy/judge.py:_stranger": (1, COLUMNS_OF_ITS_OWN),
    "core/policy/judge.py:_doubts": (1, COLUMNS_OF_ITS_OWN),
    "core/policy/judge.py:_causes": (1, COLUMNS_OF_ITS_OWN),
    "core/scoring/record.py:_findings": (1, COLUMNS_OF_ITS_OWN),
    "core/store/assessment.py:_findings": (1, COLUMNS_OF_ITS_OWN),
    "core/store/assessment.py:_measures": (1, COLUMNS_OF_ITS_OWN),
    "core/store/assessment.py:_measure_columns": (1, COLUMNS_OF_ITS_OWN),
    "core/usecases/rejudge_scans.py:_with_masks": (1, COLUMNS_OF_ITS_OWN),
    "core/usecases/scan_pixels.py:store_pictures": (1, COLUMNS_OF_ITS_OWN),
    "core/usecases/score_files.py:_write_pictures": (1, COLUMNS_OF_ITS_OWN),
    "core/usecases/fit_to_protocol.py:measure_centration": (1, COLUMNS_OF_ITS_OWN),
    "core/reports/export_dicom.py:_subject": (1, f"{ONE_LANE_HAS_IT} The page says so where results are asked for."),
    "core/reports/exportable.py:read_exportable": (1, ONE_LANE_HAS_IT),
    "core/store/faz_outline.py:find_scans": (1, f"{ONE_LANE_HAS_IT} Outlines are of the FAZ."),
    "core/store/faz_outline.py:_of": (1, f"{ONE_LANE_HAS_IT} Outlines are of the FAZ."),
    "dashboard/components/faz_choice.py:octa_types": (1, f"{ONE_LANE_HAS_IT} It chooses among scans with a FAZ."),
    "core/wording.py:scan_words": (1, f"{ONE_LANE_HAS_IT} It names the slab."),
    "core/intake/manifest.py:_pair_problems": (1, f"{ONE_LANE_HAS_IT} A row must name its slab."),
    "worker/scorer_cache.py:load": (
        1,
        "The setting OCTAUDIT_MODEL names the model of that lane; the others' are bundled.",
    ),
    "core/intake/scan_file.py:_volume_of": (1, FILES_HOLD_VOLUMES),
    "core/usecases/read_to_score.py:_of_vol": (1, FILES_HOLD_VOLUMES),
    "core/usecases/read_to_score.py:_of_dicom": (1, FILES_HOLD_VOLUMES),
    "core/usecases/stage_files.py:_stated_entry": (1, "A line or a circle is a volume's file without a field."),
    "core/store/volume_files.py:_volumes": (1, "The blobs of volumes, for the pages of volumes."),
    "core/usecases/measure_volume.py:_score_rounds": (1, "Measures that lane."),
}
"""Function by function: how many branches it may hold, and why. Shorter is better; nothing may stand here for nothing."""


def names_a_kind(node: ast.AST) -> bool:
    """Whether it is, or holds, ScanKind.MEMBER."""
    return any(
        isinstance(each, ast.Attribute)
        and each.attr in ScanKind.__members__
        and isinstance(each.value, ast.Name)
        and each.value.id == "ScanKind"
        for each in ast.walk(node)
    )


def is_value_of_a_kind(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and node.value in {kind.value for kind in ScanKind}


def is_branch(node: ast.AST) -> bool:
    """Whether a node asks which kind of scan, or which lane's findings, it has before it."""
    match node:
        case ast.Compare(left=left, comparators=others):
            sides = [left, *others]
            asks_kind = any("kind" in ast.unparse(each) for each in sides)
            return any(map(names_a_kind, sides)) or (asks_kind and any(map(is_value_of_a_kind, sides)))
        case ast.match_case(pattern=pattern):
            return names_a_kind(pattern)
        case ast.Call(func=ast.Attribute(attr="startswith" | "endswith"), args=args):
            return any(names_a_kind(each) or is_value_of_a_kind(each) for each in args)
        case ast.Call(func=ast.Name(id="isinstance"), args=[_, kinds]):
            return any(isinstance(each, ast.Name) and each.id.endswith("Findings") for each in ast.walk(kinds))
    return False


def branches(source: str) -> Iterator[str]:
    """The function that holds each branch of a module; the module's own are in ``<module>``."""

    def walk(node: ast.AST, within: str) -> Iterator[str]:
        for child in ast.iter_child_nodes(node):
            if is_branch(child):
                yield within
            yield from walk(child, child.name if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) else within)

    yield from walk(ast.parse(source), "<module>")


def test_no_branch_on_a_lane_stands_outside_the_lanes_files_without_its_reason():
    found = Counter(
        f"{name}:{function}"
        for folder in ("core", "worker", "dashboard")
        for path in sorted((ROOT / folder).rglob("*.py"))
        if not (name := str(path.relative_to(ROOT))).startswith(LANES)
        for function in branches(path.read_text(encoding="utf-8"))
    )
    assert found == {where: n for where, (n, _) in ALLOWED.items()}


@pytest.mark.parametrize(
    "body",
    [
        "kind is ScanKind.VOLUME",
        "ScanKind.BSCAN != kind",
        "kind in (ScanKind.BSCAN, None)",
        "view.kind == 'volume'",
        "scan_type.startswith('octa-enface')",
        "isinstance(scores.findings, VolumeFindings)",
    ],
)
def test_a_branch_on_a_lane_is_found_however_it_is_written(body):
    assert list(branches(f"def asked():\n    return {body}\n")) == ["asked"]


def test_a_case_on_a_lane_is_found_and_a_table_by_lane_is_none():
    assert list(branches("match kind:\n    case ScanKind.VOLUME:\n        pass\n")) == ["<module>"]
    assert not list(branches("WORDS = {ScanKind.VOLUME: 'B-scans'}\n\ndef say(kind):\n    return WORDS[kind]\n"))
    assert not list(branches("def loud(kind):\n    return volume == 'loud' and kind is not None\n"))

"""Conventions that no linter knows: where commits happen, which widgets are banned, what may not be in the tree."""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]


def calls(folder: str) -> Iterator[tuple[Path, ast.Call]]:
    for path in sorted((ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                yield path, node


def test_only_the_database_floor_commits():
    # Use cases flush; session_scope commits at its edge (house rule 14).
    commits = {
        str(path.relative_to(ROOT))
        for folder in ("core", "worker", "dashboard")
        for path, call in calls(folder)
        if isinstance(call.func, ast.Attribute) and call.func.attr == "commit"
    }
    assert {path for path in commits if not path.startswith("core/database/")} == set()


def test_pages_draw_no_image_past_the_site_check():
    # st.image serves arrays under /media, where nobody asks which site they belong to (foundations, Streamlit).
    banned = {"image", "file_uploader"}
    used = {
        f"{path.relative_to(ROOT)}: st.{call.func.attr}"
        for path, call in calls("dashboard")
        if isinstance(call.func, ast.Attribute)
        and call.func.attr in banned
        and isinstance(call.func.value, ast.Name)
        and call.func.value.id == "st"
    }
    assert used == set()


def test_enter_in_a_list_of_many_takes_one_choice():
    # By default Enter takes everything that matches what was typed, and with it scans, people or rights never meant.
    trapped = {
        f"{path.relative_to(ROOT)}:{call.lineno}"
        for path, call in calls("dashboard")
        if isinstance(call.func, ast.Attribute)
        and call.func.attr == "multiselect"
        and "False" not in {ast.unparse(each.value) for each in call.keywords if each.arg == "select_all"}
    }
    assert trapped == set()


def test_the_clock_is_read_in_one_place():
    readers = {
        str(path.relative_to(ROOT))
        for folder in ("core", "worker", "dashboard")
        for path, call in calls(folder)
        if isinstance(call.func, ast.Attribute)
        and ast.unparse(call.func) in {"datetime.now", "datetime.utcnow", "datetime.datetime.now", "date.today"}
    }
    assert readers <= {"core/clock.py"}


def tracked_texts() -> Iterator[tuple[str, str]]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        path = ROOT / name
        if path.is_file() and path.suffix not in {".png", ".safetensors", ".jpg", ".tif", ".npy", ".npz", ".woff2"}:
            yield name, path.read_text(encoding="utf-8", errors="replace")


MACHINE = re.compile(r"(?<![\w.])/(?:work|opt|root|home/\w+|tmp)/\w")
"""Absolute paths that exist on one machine only."""
REGISTRY = re.compile(r"(?:pypi\.|files\.python)" r"\w+\.?org|--(?:extra-)?index-url")  # noqa: ISC001 - not to find itself


def test_no_tracked_file_names_a_path_of_one_machine_or_a_package_registry():
    allowed = {"tests/architecture/test_conventions.py", "LICENSE"}
    found = {
        f"{name}: {match.group()}"
        for name, text in tracked_texts()
        if name not in allowed
        for pattern in (MACHINE, REGISTRY)
        for match in [pattern.search(text)]
        if match
    }
    assert found == set()


def test_no_work_is_left_marked_for_later():
    mark = re.compile(r"\b(?:TO" r"DO|FIX" r"ME|XX" r"X)\b")  # noqa: ISC001 - not to find itself
    found = {
        f"{name}: {match.group()}"
        for name, text in tracked_texts()
        if name.endswith(".py")
        for match in mark.finditer(text)
    }
    assert found == set()


def test_no_test_is_skipped():
    skips = {
        f"{path.relative_to(ROOT)}: {ast.unparse(call.func)}"
        for path, call in calls("tests")
        if isinstance(call.func, ast.Attribute)
        and ast.unparse(call.func) in {"pytest.skip", "pytest.mark.skip", "pytest.mark.skipif", "pytest.mark.xfail"}
    }
    assert skips == set()

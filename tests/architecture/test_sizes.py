"""House rule 2: functions fit a screen, modules fit a head."""

import ast
import functools
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
ROOMS = ("core", "worker", "dashboard", "tests", "bench", "migrations")
LONGEST_MODULE = 400
LONGEST_FUNCTION = 60


def modules() -> Iterator[Path]:
    for room in ROOMS:
        yield from sorted((ROOT / room).rglob("*.py"))


class Shape(NamedTuple):
    """What the tests ask of a module's syntax tree; the tree itself is too large to keep."""

    has_docstring: bool
    lines_by_function: dict[str, int]


@functools.cache
def shape_of(path: Path) -> Shape:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    functions = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    lines = {
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}": (node.end_lineno or node.lineno) - node.lineno + 1
        for node in functions
    }
    return Shape(ast.get_docstring(tree) is not None, lines)


def test_no_module_is_longer_than_400_lines():
    sizes = {
        str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines())
        for path in modules()
        if not is_schema(path)
    }
    assert {path: size for path, size in sizes.items() if size > LONGEST_MODULE} == {}


def is_schema(path: Path) -> bool:
    """A migration's upgrade is one list of statements in order; cutting it up would hide the order."""
    return path.parent.name == "versions"


def test_no_function_is_longer_than_60_lines():
    long = {
        name: lines
        for path in modules()
        if not is_schema(path)
        for name, lines in shape_of(path).lines_by_function.items()
        if lines > LONGEST_FUNCTION
    }
    assert long == {}


def test_every_module_opens_with_a_docstring():
    bare = [
        str(path.relative_to(ROOT))
        for path in modules()
        if "tests" not in path.parts and not shape_of(path).has_docstring
    ]
    assert bare == []


def test_no_module_has_a_name_that_says_nothing():
    banned = {"utils", "util", "helpers", "helper", "common", "manager", "misc", "tmp", "data2"}
    assert [str(path) for path in modules() if path.stem in banned or banned & set(path.relative_to(ROOT).parts)] == []


def test_tests_are_no_packages():
    assert list((ROOT / "tests").rglob("__init__.py")) == []


def test_nothing_beside_the_dashboards_script_hides_the_standard_library():
    # Streamlit puts the script's folder first on sys.path, so dashboard/queue.py would be everybody's `queue`.
    import sys

    names = {path.stem for path in (ROOT / "dashboard").iterdir() if path.suffix == ".py" or path.is_dir()}
    assert names & sys.stdlib_module_names == set()

"""Who imports whom: the floors, the named packages, and the processes that must never load torch."""

import ast
import functools
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions, version
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NAMED_PACKAGES = {
    "streamlit": "streamlit",
    "torch": "torch",
    "timm": "timm",
    "segmentation-models-pytorch": "segmentation_models_pytorch",
    "sqlalchemy": "sqlalchemy",
    "pandas": "pandas",
    "altair": "altair",
    "celery": "celery",
    "redis": "redis",
}
"""Distribution and import name of each package the project was asked to be built with."""


COME_WITH_OTHERS = {"pydantic_core", "starlette"}
"""Imported, and part of what pydantic and fastapi are: they decide its version."""


def declared_requirements() -> list[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    product = [
        project["dependencies"],
        project["optional-dependencies"]["dashboard"],
        project["optional-dependencies"]["worker"],
    ]
    return [requirement for group in product for requirement in group]


@functools.cache
def product_imports() -> frozenset[str]:
    found = set()
    for room in ("core", "worker", "dashboard"):
        for path in (ROOT / room).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Import):
                    found |= {alias.name.split(".")[0] for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                    found.add(node.module.split(".")[0])
    return frozenset(found)


@pytest.mark.parametrize("package", NAMED_PACKAGES)
def test_each_named_package_is_declared_and_used_in_the_product(package: str):
    declared = {re.split(r"[<>=;\[ ]", requirement)[0] for requirement in declared_requirements()}
    assert package in declared
    assert NAMED_PACKAGES[package] in product_imports()


def test_every_declared_version_is_pinned_to_one_that_is_installed():
    pins = dict(
        line.split("==") for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines() if "==" in line
    )
    names = {re.match(r"[A-Za-z0-9._-]+", requirement).group() for requirement in declared_requirements()}
    assert names - pins.keys() == set()
    assert {name: version(name).split("+")[0] for name in names} == {name: pins[name] for name in names}


def test_every_package_that_the_product_imports_is_declared():
    declared = {plain(re.match(r"[A-Za-z0-9._-]+", requirement).group()) for requirement in declared_requirements()}
    owners = packages_distributions()
    imported = product_imports() - set(sys.stdlib_module_names) - {"core", "worker", "dashboard", "migrations"}
    foreign = {name: {plain(owner) for owner in owners[name]} for name in imported if name in owners}
    assert {name for name, owning in foreign.items() if not owning & declared} == COME_WITH_OTHERS


def plain(name: str) -> str:
    """A distribution's name as packaging tools compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def test_the_floors_hold():
    lint_imports = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([lint_imports, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:]


def modules_of(room: str) -> list[str]:
    paths = (path for path in (ROOT / room).rglob("*.py") if "pages" not in path.parts and path.name != "app.py")
    return [".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for path in paths]


def import_without(blocked: tuple[str, ...], modules: list[str]) -> subprocess.CompletedProcess[str]:
    """Import modules in a process in which the blocked packages cannot be had.

    Not by ``sys.modules[name] = None``: SciPy takes the key alone for an imported torch and stumbles over None.
    """
    script = (
        "import importlib, sys\n"
        "class Block:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name.split('.')[0] in {blocked!r}: raise ModuleNotFoundError(name, name=name)\n"
        "sys.meta_path.insert(0, Block())\n"
        f"for name in {modules!r}: importlib.import_module(name)"
    )
    return subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)


TORCH = ("torch", "torchvision", "timm", "segmentation_models_pytorch")


def test_the_rooms_of_core_can_be_imported_without_torch_celery_and_streamlit():
    # The dashboard is asked in tests/dashboard/test_process.py, the worker's parent in tests/worker/test_worker.py.
    rooms = ("store", "usecases", "intake", "policy", "measures", "phantom", "commands")
    modules = [name for room in rooms for name in modules_of(f"core/{room}")]
    done = import_without((*TORCH, "celery", "streamlit"), modules)
    assert len(modules) > len(rooms)
    assert done.returncode == 0, done.stderr


def test_no_page_is_left_without_its_floor():
    # `from charts import …` would make a second copy of the module; the folder is first on sys.path.
    inside = {path.stem for path in (ROOT / "dashboard").iterdir()} - {"__pycache__"}
    bare = {
        f"{path.relative_to(ROOT)}: {node.module}"
        for path in (ROOT / "dashboard").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] in inside
    }
    assert bare == set()

"""The dashboard's process: no torch anywhere in it, and no start with a database role that sees everything."""

import subprocess
import sys

import pytest

from core.errors import OctauditError
from core.settings import Settings
from dashboard.server import open_installation

IMPORT_EVERYTHING_WITHOUT_TORCH = """
import ast, importlib, pathlib, sys
from importlib.abc import MetaPathFinder

class Refuse(MetaPathFinder):
    # Not sys.modules["torch"] = None: SciPy looks there and would take None for the module.
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"torch", "torchvision", "timm", "segmentation_models_pytorch"}:
            raise ImportError("the dashboard asked for " + name)

sys.meta_path.insert(0, Refuse())
import dashboard
folder = pathlib.Path(dashboard.__path__[0])
scripts = [folder / "app.py", *(folder / "pages").glob("*.py")]  # they draw when imported
for path in sorted(set(folder.rglob("*.py")) - set(scripts)):
    importlib.import_module(".".join(("dashboard", *path.relative_to(folder).with_suffix("").parts)))
for path in scripts:
    tree = ast.parse(path.read_text())
    tree.body = [node for node in tree.body if isinstance(node, (ast.Import, ast.ImportFrom))]
    exec(compile(tree, str(path), "exec"))
"""


def test_every_module_imports_where_torch_cannot_be_loaded():
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", IMPORT_EVERYTHING_WITHOUT_TORCH],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_it_does_not_start_with_the_owner_s_role(settings: Settings):
    owner_url = settings.database_owner_url
    with pytest.raises(OctauditError, match="octaudit_owner"):
        open_installation(settings.model_copy(update={"database_dashboard_url": owner_url}))

"""The house has five storeys, and imports go down only."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import minikeras

ROOT = Path(minikeras.__file__).parent

# Lower number: lower floor. A module may import from its own floor and below.
FLOORS = {
    "config": 0,
    "lazy": 0,
    "validation": 0,
    "registry": 0,
    "kernels": 1,
    "variables": 1,
    "masks": 1,
    "ops": 2,
    "activations": 2,
    "initializers": 2,
    "random": 2,
    "regularizers": 2,
    "constraints": 2,
    "losses": 2,
    "metrics": 2,
    "optimizers": 2,
    "layers": 3,
    "callbacks": 3,
    "training": 4,
    "models": 5,
    "utils": 5,
    "datasets": 6,
    "saving": 6,
    "backend": 6,
    "__init__": 7,
}
# NumPy alone, nothing of autograd and no layers, in the kernels.
KERNELS_MAY_USE = {"numpy", "threadpoolctl", "minikeras"} | sys.stdlib_module_names
OPTIONAL = {"matplotlib", "h5py", "keras", "jax", "tensorflow", "torch", "pandas"}
MODULES = sorted(ROOT.rglob("*.py"))


def floor_of(path):
    part = path.relative_to(ROOT).parts[0]
    return FLOORS[part.removesuffix(".py")]


def imported(path, top_level_only=False):
    tree = ast.parse(path.read_text())
    nodes = tree.body if top_level_only else ast.walk(tree)
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module
            if node.module == "minikeras":
                yield from (f"minikeras.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_go_down(path):
    for name in imported(path):
        parts = name.split(".")
        if parts[0] == "minikeras" and len(parts) > 1:
            assert FLOORS.get(parts[1], -1) <= floor_of(path), name


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_optional_packages_are_imported_inside_functions(path):
    assert not OPTIONAL & {n.split(".")[0] for n in imported(path, True)}


def test_kernels_use_numpy_alone():
    for path in (ROOT / "kernels").glob("*.py"):
        assert {n.split(".")[0] for n in imported(path)} <= KERNELS_MAY_USE


def test_few_modules_differentiate():
    """One for losses, one for `jvp`, one for derivatives of primitives of ours."""
    users = {
        str(path.relative_to(ROOT))
        for path in MODULES
        for name in imported(path)
        if name in ("autograd.core", "autograd.differential_operators")
        or name == "autograd"
        or "JVPNode" in path.read_text()
    }
    assert users == {"training/step.py", "ops/forward_mode.py", "ops/base.py"}


def test_import_loads_no_optional_package():
    code = "import sys, minikeras; print(*sys.modules)"
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    loaded = {name.split(".")[0] for name in run.stdout.split()}
    assert not loaded & (OPTIONAL | {"tqdm", "scipy", "pytest"})

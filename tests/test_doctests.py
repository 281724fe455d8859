"""The examples in all docstrings show what really comes out."""

import doctest
import importlib
import pkgutil
from pathlib import Path

import pytest

import minikeras

MODULES = sorted(
    module.name for module in pkgutil.walk_packages(minikeras.__path__, "minikeras.")
)


@pytest.fixture(autouse=True)
def _fresh_names():
    minikeras.utils.clear_session()


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    result = doctest.testmod(importlib.import_module(name))
    assert result.failed == 0


def test_examples_were_found():
    finder = doctest.DocTestFinder()
    modules = map(importlib.import_module, MODULES)
    count = sum(bool(test.examples) for m in modules for test in finder.find(m))
    assert count > 60


@pytest.mark.parametrize("name", ["lstm.md"])
def test_examples_of_the_documentation(name):
    page = Path(__file__).parent.parent / "docs" / name
    result = doctest.testfile(str(page), module_relative=False)
    assert result.failed == 0 and result.attempted > 10

"""docs/reference.md tells the truth about every name of Keras."""

import importlib.util
import json
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
spec = importlib.util.spec_from_file_location(
    "reference", ROOT / "scripts" / "reference.py"
)
reference = importlib.util.module_from_spec(spec)
spec.loader.exec_module(reference)
NAMES = json.loads(reference.NAMES.read_text())["names"]
EVERY = [(family, name) for family, names in NAMES.items() for name in names]


def test_the_page_is_up_to_date():
    assert reference.PAGE.read_text() == reference.page()


@pytest.mark.parametrize("family, name", EVERY)
def test_the_state_of_a_name(family, name):
    what, why = reference.state(family, name)
    assert reference.offered(family, name) == (what != "not offered")
    assert bool(why) == (what != "same")


def test_only_names_of_keras_are_listed():
    for table in (reference.DIFFERS, reference.NOT_OFFERED):
        for family, rows in table.items():
            assert set(rows) <= set(NAMES[family])

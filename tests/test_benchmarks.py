"""Every benchmark that a comment names is there."""

import re
from pathlib import Path

import minikeras

ROOT = Path(__file__).parent.parent
PACKAGE = Path(minikeras.__file__).parent
NAMED = re.compile(r'benchmarks/kernels\.py,(?:\s+#?\s*)?(?:cases? )?"([\w -]+)"')


def test_named_cases_exist():
    named = {
        name
        for path in PACKAGE.rglob("*.py")
        for name in NAMED.findall(path.read_text())
    }
    files = (ROOT / "benchmarks").glob("*.py")
    text = "\n".join(path.read_text() for path in files)
    defined = {
        name.replace("_", "-") for name in re.findall(r"^def (\w+)_case", text, re.M)
    }
    assert len(named) > 10
    assert named <= defined

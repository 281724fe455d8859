"""Modules are imported when first asked for, and nobody can tell the difference."""

import ast
import json
import pickle
import pkgutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import minikeras
from minikeras import registry
from minikeras.lazy import names_from, words
from minikeras.registry import Family

ROOT = Path(minikeras.__file__).parent
INITS = [p for p in ROOT.rglob("__init__.py") if "TYPE_CHECKING:" in p.read_text()]
PACKAGES = {
    ".".join(["minikeras", *path.relative_to(ROOT).parts[:-1]]): path for path in INITS
}
EXTRA = {  # what a network of dense layers needs beyond `import minikeras`
    "minikeras.kernels.dense_stack",
    "minikeras.kernels.log_loss",
    "minikeras.kernels.update",
    "minikeras.losses.crossentropy",
    "minikeras.metrics.accuracy",
    "minikeras.ops.class_losses",
    "minikeras.ops.dense_stack",
    "minikeras.ops.log_loss",
    "minikeras.optimizers.adaptive",
}
FOREIGN = {  # what few programs need
    "minikeras.kernels.conv",
    "minikeras.layers.rnn",
    "minikeras.losses.alignment",
    "minikeras.metrics.iou",
    "minikeras.optimizers.adafactor",
}


def fresh(code):
    """What another Python prints, read as JSON."""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


def seen_by_type_checkers(path):
    """name -> (module, name in it), from the imports that never run."""
    found, aliases = {}, {}
    for block in ast.parse(path.read_text()).body:
        if not isinstance(block, ast.If):
            continue
        assert ast.unparse(block.test) == "TYPE_CHECKING"
        for node in block.body:
            if isinstance(node, ast.ImportFrom):
                for name in node.names:
                    assert name.asname == name.name, "`X as X` is what exports X"
                    found[name.name] = node.module, name.name
            else:
                aliases[node.targets[0].id] = node.value.id
    return {**found, **{alias: found[name] for alias, name in aliases.items()}}


# Packages ---------------------------------------------------------------------------


def test_the_packages():
    assert {"minikeras", "minikeras.layers", "minikeras.ops"} <= set(PACKAGES)


@pytest.mark.parametrize("name", PACKAGES)
def test_type_checkers_see_what_runs(name):
    package, seen = import_module(name), seen_by_type_checkers(PACKAGES[name])
    assert sorted(seen) == package.__all__
    for public, (module, inside) in seen.items():
        if module == name:
            expected = import_module(f"{module}.{inside}")
        else:
            expected = getattr(import_module(module), inside)
        assert getattr(package, public) is expected, public


@pytest.mark.parametrize("name", PACKAGES)
def test_names_are_complete_and_sorted(name):
    package, everything = import_module(name), {}
    assert dir(package) == sorted(dir(package))
    assert set(package.__all__) <= set(dir(package))
    exec(f"from {name} import *", everything)
    assert set(package.__all__) <= set(everything)


@pytest.mark.parametrize("name", PACKAGES)
def test_no_module_hides_a_name(name):
    # Importing `losses.hinge` would put the module where the function is expected.
    package = import_module(name)
    for module in pkgutil.iter_modules(package.__path__, f"{name}."):
        own = module.name.rpartition(".")[2]
        if own in package.__all__:
            assert getattr(package, own) is import_module(module.name)


@pytest.mark.parametrize("name", PACKAGES)
def test_unknown_name(name):
    package = import_module(name)
    with pytest.raises(AttributeError) as info:
        _ = package.Unknown
    assert str(info.value).startswith(f"module '{name}' has no attribute 'Unknown'")
    with pytest.raises(ImportError, match="cannot import name 'Unknown'"):
        exec(f"from {name} import Unknown", {})
    with pytest.raises(AttributeError) as info:
        _ = package._unknown
    assert str(info.value) == f"module '{name}' has no attribute '_unknown'"


def test_a_name_like_one_there_is():
    with pytest.raises(AttributeError, match="'LTSM'. Did you mean 'LSTM'"):
        _ = minikeras.layers.LTSM
    with pytest.raises(AttributeError, match="'layer'. Did you mean 'Layer' or 'lay"):
        _ = minikeras.layer


# Families ---------------------------------------------------------------------------


def test_families_know_every_name_before_its_module_is_imported():
    known = fresh(
        "import json, minikeras, sys\n"
        "from minikeras.registry import _families\n"
        "found = {key: sorted(f.names) for key, f in _families.items()}\n"
        "assert 'minikeras.layers.convolutional' not in sys.modules\n"
        "print(json.dumps(found))"
    )
    for module in pkgutil.walk_packages(minikeras.__path__, "minikeras."):
        import_module(module.name)
    families = {k: f for k, f in registry._families.items() if k.startswith("keras")}
    assert set(known) == set(families)
    for key, family in families.items():
        assert known[key] == sorted(family.names)
        assert set(family.members) <= set(known[key])
        for name, member in family.members.items():
            if name == member.__name__:
                assert family.find(name) is member, name
        for name in known[key]:
            assert callable(family.find(name)), name


@pytest.mark.parametrize(
    "family, names, module",
    [
        ("losses", ["mse", "MSE", "mean_squared_error"], "losses.regression"),
        ("losses", ["kld", "kullback_leibler_divergence"], "losses.probabilistic"),
        ("metrics", ["auc", "AUC"], "metrics.auc"),
        ("metrics", ["mse", "mean_squared_error"], "losses.regression"),
        ("optimizers", ["adamw", "AdamW", "adam_w"], "optimizers.moments"),
        ("layers", ["MaxPool2D", "max_pooling2d"], "layers.pooling"),
        ("layers", ["Dropout", "dropout"], "layers.regularization"),
        ("layers", ["GroupedQueryAttention"], "layers.grouped_query_attention"),
        ("layers", ["Rescaling"], "layers.preprocessing.rescaling"),
    ],
)
def test_a_name_loads_its_own_module(family, names, module):
    before, found, after = fresh(
        f"import json, sys, minikeras\n"
        f"from minikeras.{family}.{'layer' if family == 'layers' else 'base'}"
        f" import family\n"
        f"before = list(sys.modules)\n"
        f"found = [family.find(name).__module__ for name in {names}]\n"
        f"print(json.dumps([before, found, list(sys.modules)]))"
    )
    assert set(found) == {f"minikeras.{module}"}
    assert found[0] in set(after) - set(before)
    assert not set(after) & FOREIGN


def test_a_config_without_a_module_names_an_activation_before_a_layer():
    found = fresh(
        "import json, minikeras as keras\n"
        "config = {'class_name': 'function', 'config': 'elu'}\n"
        "found = keras.saving.deserialize_keras_object(config)\n"
        "print(json.dumps(found.__module__))"
    )
    assert found == "minikeras.activations"


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package with one module, `parts`, that is imported late."""
    monkeypatch.setattr(registry, "_families", dict(registry._families))
    monkeypatch.setattr(registry, "_public", dict(registry._public))
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "late").mkdir()
    (tmp_path / "late" / "__init__.py").write_text("")
    yield tmp_path / "late"
    for name in [n for n in sys.modules if n.partition(".")[0] == "late"]:
        del sys.modules[name]


def test_a_failed_import_leaves_no_names(package):
    source = "import late\n\n@late.family.add()\nclass Part:\n    pass\n"
    (package / "parts.py").write_text(source + "\nraise OSError('no space')\n")
    late, homes = import_module("late"), {".parts": "Part"}
    late.family = Family("part", "keras.parts")
    late.__getattr__, late.__dir__, late.__all__ = names_from("late", homes)
    late.family.add_later(words(homes), late.__getattr__, {"P": "Part"})
    for look in (lambda: late.Part, *(lambda n=n: late.family.find(n) for n in "Pp")):
        with pytest.raises((OSError, ValueError)):
            look()
    with pytest.raises(OSError, match="no space"):
        late.family.find("part")
    assert "Part" not in vars(late)
    (package / "parts.py").write_text(source)
    sys.path_importer_cache.clear()
    found = late.family.find("Part")
    assert found is late.family.find("part") is late.family.find("P") is late.Part
    assert found is import_module("late.parts").Part


def test_threads_may_ask_at_the_same_time():
    assert fresh(
        "import json, threading, minikeras as keras\n"
        "names = [n for n in keras.layers.__all__ if n != 'Layer'][::3]\n"
        "start, found = threading.Barrier(8), []\n"
        "def ask(turn):\n"
        "    start.wait()\n"
        "    own = {n: getattr(keras.layers, n) for n in names[::turn]}\n"
        "    own['mse'] = keras.losses.get('mse')\n"
        "    found.append(own)\n"
        "threads = [threading.Thread(target=ask, args=[t]) for t in (1, -1) * 4]\n"
        "[t.start() for t in threads]\n"
        "[t.join() for t in threads]\n"
        "print(json.dumps([len(found), all(own == found[0] for own in found)]))"
    ) == [8, True]


# What is imported -------------------------------------------------------------------


def test_a_dense_network_imports_nothing_else():
    first, rest = fresh(
        "import json, sys\n"
        "import numpy as np\n"
        "import minikeras as keras\n"
        "from minikeras.layers import Dense, Input\n"
        "first = list(sys.modules)\n"
        "layers = [Input((784,)), Dense(128, 'relu'), Dense(10, 'softmax')]\n"
        "model = keras.Sequential(layers)\n"
        "loss = 'sparse_categorical_crossentropy'\n"
        "model.compile('adam', loss, metrics=['accuracy'])\n"
        "x, y = np.ones((64, 784), 'float32'), np.zeros(64, int)\n"
        "model.fit(x, y, verbose=0)\n"
        "model.evaluate(x, y, verbose=0)\n"
        "model.predict(x, verbose=0)\n"
        "print(json.dumps([first, list(sys.modules)]))"
    )
    first, rest = (
        {name for name in names if name.partition(".")[0] == "minikeras"}
        for names in (first, rest)
    )
    assert len(first) <= 55
    assert rest - first == EXTRA


def test_objects_come_out_of_a_pickle_where_nothing_was_imported():
    made = (minikeras.losses.Huber(0.5), minikeras.metrics.AUC(), minikeras.ops.sinh)
    found = fresh(
        "import json, pickle, minikeras\n"
        f"loss, metric, function = pickle.loads({pickle.dumps(made)!r})\n"
        "print(json.dumps([loss.get_config()['delta'], metric.name,"
        " function is minikeras.ops.sinh]))"
    )
    assert found == [0.5, made[1].name, True]

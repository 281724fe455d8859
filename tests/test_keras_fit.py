"""fit, evaluate and the *_on_batch methods against what real Keras returned."""

import json
from pathlib import Path

import numpy as np
import pytest

import minikeras as keras
from minikeras import ops

GOLDEN = Path(__file__).parent / "golden"
CASES = json.loads((GOLDEN / "fit.json").read_text())
RUNS = [case for case in CASES["metric_names"] if "raises" not in case["results"]]
REFUSED = [case for case in CASES["metric_names"] if "raises" in case["results"]]


def scaled_error(y_true, y_pred):
    return ops.mean(ops.abs(y_true - y_pred), axis=-1) * 3


FUNCTIONS = {
    "scaled_error": scaled_error,
    "lambda_error": lambda y_true, y_pred: ops.mean(y_pred - y_true, axis=-1),
    "scalar_error": lambda y_true, y_pred: ops.max(ops.abs(y_true - y_pred)),
    "keras_mse": keras.losses.mean_squared_error,
    "keras_cce": keras.losses.categorical_crossentropy,
    "keras_accuracy": keras.metrics.categorical_accuracy,
}


@pytest.fixture(scope="module")
def arrays():
    with np.load(GOLDEN / "fit.npz") as file:
        return {key: file[key] for key in file.files}


def live(value):
    """What a description in a compile argument describes."""
    if isinstance(value, list):
        return [live(item) for item in value]
    if isinstance(value, dict) and "function" in value:
        return FUNCTIONS[value["function"]]
    if isinstance(value, dict):
        cls = getattr(getattr(keras, value["module"]), value["class_name"])
        return cls(**value["config"])
    return value


def make(case, arrays):
    keras.utils.clear_session()
    described = CASES["models"][case["model"]]
    model = keras.Sequential.from_config(described["config"])
    count = described["weights"]
    model.set_weights([arrays[f"weights/{case['model']}/{i}"] for i in range(count)])
    optimizer = keras.optimizers.SGD(0.1, momentum=0.9)
    model.compile(optimizer, **{k: live(v) for k, v in case["compile"].items()})
    return model


def with_integer_classes(options):
    options = dict(options)
    if "class_weight" in options:
        weights = options["class_weight"].items()
        options["class_weight"] = {int(label): weight for label, weight in weights}
    return options


def fit(model, case, arrays):
    names = ("x", case["y"], case.get("sample_weight"))
    x, y, weight = (None if n is None else arrays[f"train/{n}"] for n in names)
    options = with_integer_classes({"shuffle": False, "verbose": 0, **case["fit"]})
    if "validation" in case:
        fields = [arrays[f"val/{name}"] for name in case["validation"]]
        options["validation_data"] = tuple(fields)
    if "generator" in case:
        return model.fit(endless(x, y, case["generator"]), **options)
    return model.fit(x, y, sample_weight=weight, **options)


def endless(x, y, slices):
    while True:
        for start, stop in slices:
            yield x[start:stop], y[start:stop]


def close(ours, theirs):
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)


def same_numbers(ours, theirs):
    """Equal keys in equal order, and close values."""
    assert list(ours) == list(theirs)
    for key, expected in theirs.items():
        close(ours[key], expected)


def in_compiled_order(model, results, theirs):
    """What evaluate returns without `return_dict`.

    Keras repeats the first of several metrics of one name; each is there once here.
    """
    if len(theirs) == len(results):
        return theirs
    assert len(theirs) > len(results)
    return [results[name] for name in model.get_metrics_result()]


@pytest.mark.parametrize("case", CASES["fit"], ids=lambda case: case["name"])
def test_fit_and_evaluate(case, arrays):
    expected = case["results"]
    model = make(case, arrays)
    history = fit(model, case, arrays)
    same_numbers(history.history, expected["history"])
    assert history.epoch == expected["epoch"]
    assert history is model.history
    for key, value in expected["params"].items():
        assert history.params[key] == value
    for ours, theirs in zip(
        model.get_weights(), expected["final_weights"], strict=True
    ):
        close(ours, theirs)
    names = ("x", case["y"], case.get("sample_weight"))
    x, y, weight = (None if n is None else arrays[f"train/{n}"] for n in names)
    options = {"batch_size": 4, "sample_weight": weight, "verbose": 0}
    results = model.evaluate(x, y, return_dict=True, **options)
    same_numbers(results, expected["evaluate_dict"])
    listed = model.evaluate(x, y, **options)
    assert isinstance(listed, type(expected["evaluate_list"]))
    if isinstance(listed, float):
        close(listed, expected["evaluate_list"])
    else:
        theirs = in_compiled_order(model, results, expected["evaluate_list"])
        close(listed, theirs)


@pytest.mark.parametrize("case", RUNS, ids=lambda case: case["name"])
def test_names_of_metrics(case, arrays):
    expected = case["results"]
    model = make(case, arrays)
    x, y = arrays["train/x"], arrays[f"train/{case['y']}"]
    history = model.fit(x, y, batch_size=8, shuffle=False, verbose=0)
    same_numbers(history.history, expected["history"])
    results = model.evaluate(x, y, batch_size=8, verbose=0, return_dict=True)
    same_numbers(results, expected["evaluate_dict"])
    listed = model.evaluate(x, y, batch_size=8, verbose=0)
    if case["name"] != "metrics_loss_name":  # a metric that hides the loss
        close(listed, in_compiled_order(model, results, expected["evaluate_list"]))


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case["name"])
def test_refused_metrics(case, arrays):
    assert case["results"]["raises"] == "ValueError"
    with pytest.raises(ValueError, match="must be a list"):
        make(case, arrays)


def test_metrics_names_tell_the_metrics(arrays):
    # Keras 3 says ["loss", "compile_metrics"]; the names are of more use, and zip
    # with what evaluate returns.
    case = next(c for c in CASES["fit"] if c["name"] == "mse_and_mae")
    model = make(case, arrays)
    model.evaluate(arrays["train/x"], arrays["train/y_real"], verbose=0)
    assert model.metrics_names == ["loss", "mse", "mae"]


@pytest.mark.parametrize("case", CASES["calls"], ids=lambda case: case["name"])
def test_calls_on_batches(case, arrays):
    model = make(case, arrays)
    for call in case["calls"]:
        rows = slice(*call["rows"])
        data = [arrays["train/x"][rows]]
        if not call["method"].startswith("predict"):
            data.append(arrays[f"train/{case['y']}"][rows])
        options = with_integer_classes(call["options"])
        if "sample_weight" in options:
            options["sample_weight"] = arrays["train/sw"][rows]
        if call["method"] in ("predict", "evaluate"):
            options["verbose"] = 0
        returned = getattr(model, call["method"])(*data, **options)
        assert type(returned).__name__ == call["returns_type"]
        if isinstance(returned, dict):
            same_numbers(returned, call["returns"])
        else:
            close(returned, call["returns"])

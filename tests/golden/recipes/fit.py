"""Set 2: what fit, evaluate and the *_on_batch methods return."""

import keras
import numpy as np

from . import store

SEED = 20_260_102
ROWS = 22
LEARNING_RATE = 0.1


def write(folder):
    """Write fit.npz and fit.json."""
    rng = np.random.default_rng(SEED)
    arrays = _data(rng)
    models = {name: _describe_model(name, rng, arrays) for name in MODELS}
    cases = [_run_fit(arrays, case) for case in _fit_cases()]
    on_batch = [_run_calls(arrays, case) for case in _call_cases()]
    store.write_npz(folder / "fit.npz", arrays)
    content = {
        "functions": {name: doc for name, (_, doc) in FUNCTIONS.items()},
        "models": models,
        "fit": cases,
        "calls": on_batch,
        "metric_names": [_run_names(arrays, case) for case in _name_cases()],
    }
    store.write_json(folder / "fit.json", content)


def scaled_error(y_true, y_pred):
    """A metric function written by a user: it gives one value per sample."""
    return keras.ops.mean(keras.ops.abs(y_true - y_pred), axis=-1) * 3


FUNCTIONS = {
    "scaled_error": (scaled_error, "mean(abs(y_true - y_pred), axis=-1) * 3"),
    "lambda_error": (
        lambda y_true, y_pred: keras.ops.mean(y_pred - y_true, axis=-1),
        "a lambda: mean(y_pred - y_true, axis=-1)",
    ),
    "scalar_error": (
        lambda y_true, y_pred: keras.ops.max(keras.ops.abs(y_true - y_pred)),
        "a lambda: max(abs(y_true - y_pred)), one value for the batch",
    ),
    "keras_mse": (keras.losses.mean_squared_error, "losses.mean_squared_error"),
    "keras_cce": (
        keras.losses.categorical_crossentropy,
        "losses.categorical_crossentropy",
    ),
    "keras_accuracy": (
        keras.metrics.categorical_accuracy,
        "metrics.categorical_accuracy",
    ),
}


# Models and data ------------------------------------------------------------------


def _softmax_model(regularizer=None):
    return [
        keras.layers.Dense(4, activation="tanh", kernel_regularizer=regularizer),
        keras.layers.Dense(3, activation="softmax"),
    ]


def _binary_model():
    return [
        keras.layers.Dense(4, activation="tanh"),
        keras.layers.Dense(1, activation="sigmoid"),
    ]


def _linear_model():
    return [keras.layers.Dense(4, activation="tanh"), keras.layers.Dense(3)]


MODELS = {
    "softmax": _softmax_model,
    "binary": _binary_model,
    "linear": _linear_model,
    "regularized": lambda: _softmax_model("l2"),
}


def _data(rng):
    arrays = {}
    for part, rows in (("train", ROWS), ("val", 9)):
        labels = rng.integers(0, 3, rows).astype("int32")
        arrays |= {
            f"{part}/x": rng.standard_normal((rows, 5)).astype("float32"),
            f"{part}/y_int": labels,
            f"{part}/y_int_column": labels[:, None],
            f"{part}/y_onehot": np.eye(3, dtype="float32")[labels],
            f"{part}/y_binary": (labels[:, None] > 0).astype("float32"),
            f"{part}/y_binary_int": (labels > 0).astype("int32"),
            f"{part}/y_real": rng.standard_normal((rows, 3)).astype("float32"),
            f"{part}/sw": rng.uniform(0.1, 2, rows).astype("float32"),
        }
    return arrays


def _describe_model(name, rng, arrays):
    model = _fresh_model(name)
    for i, weight in enumerate(model.weights):
        scale = 0.2 if len(weight.shape) == 1 else 0.7
        value = (rng.standard_normal(weight.shape) * scale).astype("float32")
        arrays[f"weights/{name}/{i}"] = value
    return {"config": model.get_config(), "weights": len(model.weights)}


def _fresh_model(name):
    keras.backend.clear_session()
    return keras.Sequential([keras.Input((5,)), *MODELS[name]()])


def _model(arrays, case):
    model = _fresh_model(case["model"])
    count = len(model.weights)
    model.set_weights([arrays[f"weights/{case['model']}/{i}"] for i in range(count)])
    optimizer = keras.optimizers.SGD(LEARNING_RATE, momentum=0.9)
    arguments = {key: _live(value) for key, value in case["compile"].items()}
    model.compile(optimizer=optimizer, **arguments)
    return model


def _live(value):
    """Turn a description in a compile argument into what it describes."""
    if isinstance(value, list):
        return [_live(item) for item in value]
    if isinstance(value, dict) and "function" in value:
        return FUNCTIONS[value["function"]][0]
    if isinstance(value, dict) and "class_name" in value:
        module = getattr(keras, value["module"])
        return getattr(module, value["class_name"])(**value["config"])
    return value


def _loss(class_name, **config):
    return {"module": "losses", "class_name": class_name, "config": config}


def _metric(class_name, **config):
    return {"module": "metrics", "class_name": class_name, "config": config}


def _function(name):
    return {"function": name}


# fit and evaluate -----------------------------------------------------------------


def _fit_case(name, model, y, compile_arguments, fit=None, **fields):
    return {
        "name": name,
        "model": model,
        "compile": compile_arguments,
        "y": y,
        "fit": {"epochs": 3, "batch_size": 8, **(fit or {})},
        **fields,
    }


def _fit_cases():
    yield from _plain_cases()
    yield from _validation_cases()
    yield from _weight_cases()
    yield from _shape_cases()


def _plain_cases():
    cce = {"loss": "categorical_crossentropy"}
    accuracy = {**cce, "metrics": ["accuracy"]}
    yield _fit_case("no_metrics", "softmax", "y_onehot", cce)
    yield _fit_case("accuracy", "softmax", "y_onehot", accuracy)
    yield _fit_case(
        "default_batch_size", "softmax", "y_onehot", accuracy, {"epochs": 2}
    )
    yield _fit_case(
        "uneven_batches", "softmax", "y_onehot", accuracy, {"batch_size": 5}
    )
    yield _fit_case(
        "initial_epoch", "softmax", "y_onehot", accuracy, {"initial_epoch": 1}
    )
    yield _fit_case(
        "regularized",
        "regularized",
        "y_onehot",
        {**cce, "metrics": ["accuracy", "categorical_crossentropy"]},
    )
    errors = {"loss": "mse", "metrics": ["mse", "mae"]}
    yield _fit_case("mse_and_mae", "linear", "y_real", errors)
    generator = [[0, 4], [4, 9], [9, 12], [12, 20], [20, 22]]
    yield _fit_case(
        "generator",
        "softmax",
        "y_onehot",
        accuracy,
        {"batch_size": None, "steps_per_epoch": 3},
        generator=generator,
    )
    yield _fit_case(
        "steps_per_epoch_arrays",
        "softmax",
        "y_onehot",
        accuracy,
        {"batch_size": 4, "steps_per_epoch": 2},
    )


def _validation_cases():
    accuracy = {"loss": "categorical_crossentropy", "metrics": ["accuracy"]}
    case = ("softmax", "y_onehot", accuracy)
    yield _fit_case("validation_split", *case, {"validation_split": 0.3})
    yield _fit_case("validation_data", *case, validation=["x", "y_onehot"])
    yield _fit_case("validation_weights", *case, validation=["x", "y_onehot", "sw"])
    yield _fit_case(
        "validation_split_weights",
        *case,
        {"validation_split": 0.25},
        sample_weight="sw",
    )
    yield _fit_case(
        "validation_batch_size",
        *case,
        {"validation_batch_size": 2},
        validation=["x", "y_onehot"],
    )
    yield _fit_case(
        "validation_freq",
        *case,
        {"validation_freq": 2, "epochs": 4},
        validation=["x", "y_onehot"],
    )
    regularized = {"loss": "categorical_crossentropy", "metrics": ["mse"]}
    yield _fit_case(
        "validation_regularized",
        "regularized",
        "y_onehot",
        regularized,
        validation=["x", "y_onehot"],
    )


def _weight_cases():
    accuracy = {"loss": "categorical_crossentropy", "metrics": ["accuracy"]}
    sparse = {"loss": "sparse_categorical_crossentropy", "metrics": ["accuracy"]}
    both = {**accuracy, "weighted_metrics": ["accuracy", "mse"]}
    class_weight = {"class_weight": {"0": 1.0, "1": 2.5, "2": 0.5}}
    for name, case in (
        ("onehot", ("softmax", "y_onehot", both)),
        ("sparse", ("softmax", "y_int", sparse)),
        ("column", ("softmax", "y_int_column", sparse)),
    ):
        yield _fit_case(f"class_weight_{name}", *case, class_weight)
    yield _fit_case(
        "class_weight_missing_class",
        "softmax",
        "y_int",
        sparse,
        {"class_weight": {"0": 2.0, "1": 0.5}},
    )
    yield _fit_case(
        "sample_weight", "softmax", "y_onehot", accuracy, sample_weight="sw"
    )
    yield _fit_case("weighted_metrics", "softmax", "y_onehot", both, sample_weight="sw")
    yield _fit_case("weighted_metrics_unweighted", "softmax", "y_onehot", both)
    weighted_only = {"loss": "mse", "weighted_metrics": ["mae"]}
    yield _fit_case(
        "weighted_metrics_only", "linear", "y_real", weighted_only, sample_weight="sw"
    )
    mean = _loss("CategoricalCrossentropy", reduction="mean_with_sample_weight")
    yield _fit_case(
        "loss_mean_with_sample_weight",
        "softmax",
        "y_onehot",
        {"loss": mean},
        sample_weight="sw",
    )
    total = _loss("CategoricalCrossentropy", reduction="sum")
    yield _fit_case("loss_sum", "softmax", "y_onehot", {"loss": total})


def _shape_cases():
    """The string "accuracy" becomes what the loss and the shapes ask for."""
    for y in ("y_binary", "y_binary_int"):
        arguments = {"loss": "binary_crossentropy", "metrics": ["accuracy"]}
        yield _fit_case(f"accuracy_{y}", "binary", y, arguments)
    for y in ("y_int", "y_int_column"):
        arguments = {"loss": "sparse_categorical_crossentropy", "metrics": ["acc"]}
        yield _fit_case(f"acc_{y}", "softmax", y, arguments)
    arguments = {"loss": "mse", "metrics": ["accuracy"]}
    yield _fit_case("accuracy_mse_onehot", "softmax", "y_onehot", arguments)
    logits = _loss("CategoricalCrossentropy", from_logits=True)
    arguments = {"loss": logits, "metrics": ["accuracy"]}
    yield _fit_case("accuracy_logits", "linear", "y_onehot", arguments)
    for model, y in (
        ("softmax", "y_onehot"),
        ("softmax", "y_int"),
        ("binary", "y_binary"),
    ):
        arguments = {"loss": "crossentropy", "metrics": ["accuracy"]}
        yield _fit_case(f"loss_crossentropy_{y}", model, y, arguments)
    binary_logits = _loss("BinaryCrossentropy", from_logits=True)
    arguments = {"loss": binary_logits, "metrics": ["accuracy"]}
    yield _fit_case("accuracy_multilabel_logits", "linear", "y_onehot", arguments)


def _run_fit(arrays, case):
    model = _model(arrays, case)
    x, y, weights = _inputs(arrays, case)
    history = model.fit(**_fit_arguments(arrays, case, x, y, weights))
    given = {"batch_size": 4, "sample_weight": weights, "verbose": 0}
    results = {
        "history": history.history,
        "epoch": history.epoch,
        "params": {key: history.params[key] for key in ("epochs", "steps")},
        "metrics_names": model.metrics_names,
        "evaluate_dict": model.evaluate(x, y, return_dict=True, **given),
        "evaluate_list": model.evaluate(x, y, **given),
        "final_weights": model.get_weights(),
    }
    return {**case, "results": results}


def _inputs(arrays, case):
    names = ("x", case["y"], case.get("sample_weight"))
    return [None if name is None else arrays[f"train/{name}"] for name in names]


def _fit_arguments(arrays, case, x, y, weights):
    arguments = {"shuffle": False, "verbose": 0, **case["fit"]}
    if "class_weight" in arguments:
        pairs = arguments["class_weight"].items()
        arguments["class_weight"] = {int(key): value for key, value in pairs}
    if "validation" in case:
        parts = [arrays[f"val/{name}"] for name in case["validation"]]
        arguments["validation_data"] = tuple(parts)
    if "generator" in case:
        return {"x": _endless(x, y, case["generator"]), **arguments}
    return {"x": x, "y": y, "sample_weight": weights, **arguments}


def _endless(x, y, slices):
    while True:
        for start, stop in slices:
            yield x[start:stop], y[start:stop]


# train_on_batch, test_on_batch, predict_on_batch ------------------------------------


def _call_cases():
    accuracy = {"loss": "categorical_crossentropy", "metrics": ["accuracy", "mae"]}
    bare = {"loss": "categorical_crossentropy"}
    train, test = "train_on_batch", "test_on_batch"
    calls = [
        (train, [0, 4], {}),
        (train, [4, 8], {}),
        (train, [8, 11], {"return_dict": True}),
        (test, [0, 6], {}),
        (test, [6, 8], {"return_dict": True}),
        ("predict_on_batch", [0, 3], {}),
        ("predict_on_batch", [5, 6], {}),
        (train, [11, 15], {"sample_weight": "sw"}),
        (train, [15, 19], {"class_weight": {"0": 2.0, "1": 1.0, "2": 0.5}}),
        (test, [0, 4], {"sample_weight": "sw", "return_dict": True}),
        ("predict", [0, 22], {"batch_size": 5}),
        ("evaluate", [0, 22], {"batch_size": 5, "return_dict": True}),
    ]
    for name, model, arguments in (
        ("with_metrics", "softmax", accuracy),
        ("without_metrics", "softmax", bare),
        ("regularized", "regularized", accuracy),
    ):
        yield {"name": name, "model": model, "compile": arguments, "calls": calls}


def _run_calls(arrays, case):
    model = _model(arrays, case)
    calls = [_run_call(model, arrays, *call) for call in case["calls"]]
    return {**case, "y": "y_onehot", "calls": calls}


def _run_call(model, arrays, method, rows, options):
    span = slice(*rows)
    inputs = [arrays["train/x"][span]]
    if not method.startswith("predict"):
        inputs.append(arrays["train/y_onehot"][span])
    arguments = dict(options)
    if "sample_weight" in arguments:
        arguments["sample_weight"] = arrays["train/sw"][span]
    if "class_weight" in arguments:
        pairs = arguments["class_weight"].items()
        arguments["class_weight"] = {int(key): value for key, value in pairs}
    if method in ("predict", "evaluate"):
        arguments["verbose"] = 0
    returned = getattr(model, method)(*inputs, **arguments)
    return {
        "method": method,
        "rows": rows,
        "options": options,
        "returns_type": type(returned).__name__,
        "returns": returned,
    }


# Names of metrics -------------------------------------------------------------------


def _name_cases():
    cce = "categorical_crossentropy"
    metric_lists = {
        "function": [_function("scaled_error")],
        "lambda": [_function("lambda_error")],
        "scalar_function": [_function("scalar_error")],
        "loss_function": [_function("keras_mse")],
        "metric_function": [_function("keras_accuracy")],
        "object": [_metric("MeanSquaredError")],
        "named_object": [_metric("CategoricalAccuracy", name="right")],
        "class_name_string": ["MeanSquaredError"],
        "long_string": ["mean_squared_error", "mean_absolute_error"],
        "short_strings": ["mse", "mae"],
        "capitals": ["MSE", "MAE"],
        "twice": ["accuracy", "accuracy"],
        "accuracy_twice": ["accuracy", "categorical_accuracy"],
        "same_name": [
            _metric("MeanSquaredError", name="m"),
            _metric("MeanAbsoluteError", name="m"),
        ],
        "loss_name": [_metric("MeanSquaredError", name="loss")],
    }
    for name, metrics in metric_lists.items():
        yield _name_case(f"metrics_{name}", {"loss": cce, "metrics": metrics})
    yield _name_case(
        "metrics_and_weighted",
        {"loss": cce, "metrics": ["mae"], "weighted_metrics": ["mae", "accuracy"]},
    )
    losses = {
        "object": _loss("CategoricalCrossentropy"),
        "named_object": _loss("CategoricalCrossentropy", name="mine"),
        "function": _function("keras_cce"),
        "own_function": _function("scaled_error"),
        "class_name_string": "CategoricalCrossentropy",
    }
    for name, loss in losses.items():
        yield _name_case(f"loss_{name}", {"loss": loss, "metrics": ["accuracy"]})
    yield _name_case("metrics_single_string", {"loss": cce, "metrics": "accuracy"})


def _name_case(name, compile_arguments):
    return {"name": name, "model": "softmax", "compile": compile_arguments}


def _run_names(arrays, case):
    try:
        model = _model(arrays, case)
        before = model.metrics_names
        x, y = arrays["train/x"], arrays["train/y_onehot"]
        history = model.fit(x, y, batch_size=8, shuffle=False, verbose=0)
        given = {"batch_size": 8, "verbose": 0}
        results = {
            "metrics_names_before_fit": before,
            "metrics_names": model.metrics_names,
            "metric_objects": [metric.name for metric in model.metrics],
            "history": history.history,
            "evaluate_dict": model.evaluate(x, y, return_dict=True, **given),
            "evaluate_list": model.evaluate(x, y, **given),
        }
    except (ValueError, TypeError) as error:
        results = {"raises": type(error).__name__, "text": str(error)}
    return {**case, "y": "y_onehot", "results": results}

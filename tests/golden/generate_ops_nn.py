"""Write ops_nn.json: functions of keras.ops outside its NumPy part, by real Keras.

`cases`: a list of `name`, `args`, `options`, and what Keras makes of them:

- `results`: its arrays from left to right, with the types that float32 gives and the
  values that float64 gives; their squares if `squared`, where signs are free
- `gradients`: of the sum of (0.5 + k / n) times number k of n of the real results, by
  each array of floats in `args`; not there if Keras has none, or not a finite one

Arrays are {"data", "dtype", "shape"}, float64 and of one axis if the last two are not
there, complex ones with pairs as data; a tuple is {"tuple": [...]}, a function
{"function": name}, which the test has under that name. Numbers have eleven digits.

Run it with Keras and JAX installed: KERAS_BACKEND=jax python generate_ops_nn.py
"""

import json
import os
import sys
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")

import jax
import jax.numpy as jnp
import keras
import numpy as np

RANDOM = np.random.default_rng(5)
FUNCTIONS = {
    "cube sum": lambda row: (row * row * row).sum(),
    "parts": lambda row: {"double": row * 2, "square": [row * row]},
    "of two": lambda rows: rows[0] * rows[1],
    "step": lambda carry, row: (carry * row + row, carry - row),
    "double": lambda carry, row: (carry * 2, carry),
    "product": lambda a, b: a * b,
    "affine": lambda a, b: (a[0] * b[0], a[1] * b[0] + b[1]),
    "below 40": lambda i, x: i < 40,
    "times 3": lambda i, x: (i * 3 + 1, x * x),
    "less": lambda i, x: x - i,
    "sum": lambda x, y: x + y,
    "difference": lambda x, y: x - y,
    "one": lambda: 1.0,
    "two": lambda: 2.0,
    "outer": lambda a, b: (a * b, {"less": a - b}),
}


def numbers(*shape, low=None):
    """Rounded normal numbers, or uniform ones from `low` up."""
    if low is None:
        return np.round(RANDOM.normal(size=shape), 3)
    return np.round(RANDOM.uniform(low, low + 0.8, size=shape), 3)


def integers(*values):
    return np.array(values, "int32")


A, TALL, WIDE = numbers(2, 3, 3) + 2 * np.eye(3), numbers(4, 3), numbers(2, 3, 4)
POSITIVE = np.round(A @ A.swapaxes(1, 2) + np.eye(3), 3)
FACTOR = np.round(np.linalg.cholesky(POSITIVE), 3)
SIGNAL, IMAGES = numbers(2, 13), numbers(2, 2, 5, 4)
ROWS, IDS = numbers(6, 2), integers(0, 2, 0, -1, 0, 9)
TIED = np.array([1.0, 5, 5, 2, 2, 1])
LOGITS = numbers(3, 4)
CHANCES = np.array([[0.1, 0.2, 0.7, 0.0], [0.3, 0.3, 0.4, 0.0], [1, 1, 2, 0.5]])
PAIR = (numbers(2, 5), numbers(2, 5))
SPEECH = numbers(3, 6, 4) * 3
FEW = np.round(SPEECH / 3)
LENGTHS = integers(6, 4, 1)
ENDS = np.array([-0.999, -0.7, -0.1, 0.0, 1e-8, 0.3, 0.84, 0.86, 0.9999])
LINE = np.array([-7, -4.1, -1.2, -0.4, 0.0, 1e-6, 0.3, 0.5, 2.5, 4.5, 9.0])


def f(name):
    return {"function": name}


def rows():
    for name in ("erf", "erfc"):
        yield name, [LINE], {}
    yield "erfinv", [ENDS], {}
    yield "rsqrt", [numbers(2, 3, low=0.3)], {}

    for name in ("inv", "det", "logdet"):
        yield name, [A], {}
    yield "det", [np.array([[1.0, 2, 3], [2, 4, 6], [1, 0, 1]])], {}
    yield "det", [integers([2, 0], [1, 4])], {}
    yield "inv", [integers([2, 0], [1, 4])], {}
    yield "solve", [A, numbers(2, 3, 2)], {}
    yield "solve", [A[0], numbers(3)], {}
    for lower in (False, True):
        yield "solve_triangular", [A, numbers(2, 3, 2)], {"lower": lower}
    yield "solve_triangular", [A[0], numbers(3)], {}
    for upper in (False, True):
        yield "cholesky", [POSITIVE], {"upper": upper}
        turned = FACTOR[0].T.copy() if upper else FACTOR[0]
        yield "cholesky_inverse", [turned], {"upper": upper}
    yield "cholesky", [np.array([[4.0, 1], [3, 5]])], {}
    yield "eigh", [POSITIVE], {}
    yield "eigh", [A], {}
    for x in (A, TALL, WIDE):
        yield "svd", [x], {"full_matrices": False}
        yield "svd", [x], {"compute_uv": False}
        yield "qr", [x], {}
        yield "lu_factor", [x], {}
        yield "pinv", [x], {}
        yield "matrix_rank", [x], {}
    yield "svd", [A], {}
    yield "svd", [TALL], {}
    yield "qr", [TALL], {"mode": "complete"}
    yield "eig", [POSITIVE], {}
    yield "matrix_rank", [np.outer([1.0, 2], [1, 2])], {}
    yield "matrix_rank", [TALL], {"tol": 1.5}
    yield "pinv", [np.outer([1.0, 2], [1, 2])], {}
    yield "lstsq", [TALL, numbers(4)], {}
    yield "lstsq", [WIDE[0], numbers(3, 2)], {}
    yield "norm", [WIDE], {}
    for ord in (None, 0, 0.5, 1, -1, 2, 3, np.inf, -np.inf):
        yield "norm", [WIDE], {"ord": ord, "axis": 1}
    for ord in (None, "fro", "nuc", 1, -1, 2, -2, np.inf, -np.inf):
        yield "norm", [TALL], {"ord": ord}
        axis = {"tuple": [2, 0]}
        yield "norm", [WIDE], {"ord": ord, "axis": axis, "keepdims": True}
    yield "norm", [integers(3, 4)], {}
    yield "cdist", [numbers(2, 3, 2), numbers(4, 2)], {}
    yield "psnr", [TALL, TALL + 0.5], {"max_val": 255}
    yield "psnr", [TALL, TALL], {"max_val": 255}

    for name in ("segment_sum", "segment_max", "segment_min", "segment_prod"):
        yield name, [ROWS, IDS], {"num_segments": 4}
        yield name, [TIED, integers(0, 1, 1, 2, 2, 1)], {"num_segments": 3}
        yield name, [integers(3, 4, 5), integers(0, 0, 2)], {"num_segments": 4}
    yield "top_k", [np.array([[1.0, 3, 3, 2], [0, -1, 5, 0]])], {"k": 3}
    yield "top_k", [integers(1, 3, 3)], {"k": 2}
    labels = integers(3, 0, 2)
    for k in (1, 2, 3):
        yield "in_top_k", [labels, CHANCES], {"k": k}
    yield "multi_hot", [integers(0, 4, 7)], {"num_classes": 5}
    yield "multi_hot", [integers([0, 2], [1, 1])], {"num_classes": 3}
    yield "multi_hot", [integers([0, 2], [1, 1])], {"num_classes": 3, "axis": 0}
    yield "multi_hot", [integers([0, 2], [1, 1])], {"num_tokens": 3, "dtype": "int32"}
    yield "multi_hot", [integers([[0], [2]])], {"num_classes": 3}

    for logits in (False, True):
        options = {"from_logits": logits}
        output = LOGITS if logits else CHANCES / 2.5
        yield "binary_crossentropy", [numbers(3, 4, low=0.1), output], options
        output = LOGITS if logits else CHANCES
        yield "categorical_crossentropy", [numbers(3, 4, low=0.1), output], options
        axis = {**options, "axis": 0}
        yield "categorical_crossentropy", [numbers(3, 4, low=0.1), output], axis
        yield "sparse_categorical_crossentropy", [labels, output], options
        yield "sparse_categorical_crossentropy", [labels[:, None], output], options
        yield "sparse_categorical_crossentropy", [labels[1:], output[1:]], options
        square = output[:, :3].copy()
        yield "sparse_categorical_crossentropy", [integers(2, 0, 1), square], axis

    yield "extract_sequences", [SIGNAL], {"sequence_length": 4, "sequence_stride": 3}
    yield (
        "extract_sequences",
        [integers(1, 2, 3, 4)],
        {"sequence_length": 2, "sequence_stride": 1},
    )
    for options in (
        {"kernel_size": 2},
        {"kernel_size": {"tuple": [3, 2]}, "padding": {"tuple": [2, 1]}},
        {"kernel_size": 2, "dilation": {"tuple": [2, 1]}, "stride": 2, "padding": 1},
    ):
        yield "unfold", [IMAGES], options
    yield (
        "fold",
        [numbers(1, 8, 6)],
        {"output_size": {"tuple": [3, 4]}, "kernel_size": 2},
    )
    yield (
        "fold",
        [numbers(1, 4, 9)],
        {"output_size": 5, "kernel_size": 2, "dilation": 2, "stride": 2, "padding": 1},
    )
    for name, shape in (
        ("depth_to_space", (2, 1, 2, 8)),
        ("space_to_depth", (1, 4, 2, 3)),
    ):
        yield name, [numbers(*shape)], {"block_size": 2}
        n, h, w, c = shape
        x = numbers(n, c, h, w)
        yield name, [x], {"block_size": 2, "data_format": "channels_first"}

    pair = {"tuple": list(PAIR)}
    for name in ("fft", "fft2", "ifft2"):
        yield name, [pair], {}
    for length in (None, 1, 4, 5, 9):
        yield "rfft", [PAIR[0]], {"fft_length": length}
        yield "irfft", [pair], {"fft_length": length}
    pieces = {"tuple": [numbers(2, 4, 4), numbers(2, 4, 4)]}
    given = np.array([0.5, 1.0, 2.0, 0.25])
    for window in ("hann", "hamming", None, given):
        for center in (False, True):
            lengths = {"sequence_length": 4, "sequence_stride": 3, "fft_length": 6}
            options = {**lengths, "window": window, "center": center}
            yield "stft", [SIGNAL], options
            yield "istft", [pieces], options
    yield "istft", [pieces], {**lengths, "length": 7}
    yield "polar", [numbers(3, low=0.5), numbers(3)], {}
    yield "view_as_complex", [numbers(3, 2)], {}
    yield "view_as_real", [np.array([1 + 2j, 3 - 1j], "complex64")], {}
    yield "view_as_real", [numbers(2)], {}

    for options in (
        {},
        {"merge_repeated": False, "mask_index": 3},
        {"strategy": "beam_search", "beam_width": 3, "top_paths": 2},
        {"strategy": "beam_search", "top_paths": 3, "mask_index": 2},
    ):
        yield "ctc_decode", [SPEECH, LENGTHS], options
        yield "ctc_decode", [FEW, LENGTHS], options

    yield (
        "scatter",
        [integers([0], [0], [1]), numbers(3, 2)],
        {"shape": {"tuple": [3, 2]}},
    )
    yield (
        "scatter",
        [integers([0, 1], [2, -1]), numbers(2)],
        {"shape": {"tuple": [3, 2]}},
    )
    places = integers([0], [0], [-1])
    for reduction in (None, "add", "max", "min", "mul"):
        options = {"reduction": reduction}
        before, after = np.array([8.0, 1, 2, -3]), np.array([8.0, 8, -9])
        yield "scatter_update", [before, places, after], options
        yield "scatter_update", [TALL, places, numbers(3, 3)], options
    yield "scatter_update", [TALL, integers([0, 1], [3, 2]), numbers(2)], {}
    yield "slice", [TALL, integers(1, 0)], {"shape": {"tuple": [2, 2]}}
    yield "slice", [TALL, {"tuple": [2, 1]}], {"shape": {"tuple": [-1, 1]}}
    yield "slice_update", [TALL, {"tuple": [2, 1]}, numbers(2, 1)], {}

    values = np.array([-5.0, 300, 2.7, np.inf, np.nan, 5e20])
    for dtype in ("uint8", "int32", "uint32", "float16", "bool"):
        yield "saturate_cast", [values], {"dtype": dtype}
    yield "saturate_cast", [integers(-5, 300)], {"dtype": "uint8"}

    yield "map", [f("cube sum"), TALL], {}
    yield "map", [f("parts"), TALL], {}
    yield "map", [f("of two"), {"tuple": [TALL, TALL + 1]}], {}
    yield "map", [f("cube sum"), TALL[:0]], {}
    yield "vectorized_map", [f("parts"), TALL], {}
    yield "vectorized_map", [f("of two"), [TALL, TALL + 1]], {}
    for reverse in (False, True):
        options = {"reverse": reverse}
        yield "scan", [f("step"), numbers(3), TALL], options
        yield "associative_scan", [f("product"), numbers(7, 2, low=0.5)], options
        yield "associative_scan", [f("product"), numbers(2, 4)], {**options, "axis": 1}
        both = {"tuple": [numbers(5), numbers(5)]}
        yield "associative_scan", [f("affine"), both], options
    yield "scan", [f("double"), np.array(1.5)], {"length": 3}
    yield "scan", [f("step"), numbers(3), TALL[:0]], {}
    start = {"tuple": [1, numbers(2)]}
    yield "while_loop", [f("below 40"), f("times 3"), start], {}
    for most in (0, 2):
        options = {"maximum_iterations": most}
        yield "while_loop", [f("below 40"), f("times 3"), start], options
    yield "fori_loop", [2, 5, f("less"), numbers(2)], {}
    yield "fori_loop", [5, 2, f("less"), numbers(2)], {}
    for index in (-3, 0, 1, 7):
        branches = [f("sum"), f("difference")]
        yield "switch", [index, branches, numbers(2), numbers(2)], {}
    for truth in (True, False):
        yield "cond", [truth, f("one"), f("two")], {}
    ends = {"tuple": [numbers(2), numbers(2)]}
    yield "jvp", [f("outer"), ends, {"tuple": [numbers(2), numbers(2)]}], {}


SIGNLESS = {"eigh", "svd", "qr", "eig"}


def decoded(value, dtype, leaf=jnp.asarray):
    """The argument as Keras takes it, floats in that type."""
    if isinstance(value, np.ndarray):
        return leaf(value.astype(dtype) if value.dtype == np.float64 else value)
    if isinstance(value, list):
        return [decoded(v, dtype, leaf) for v in value]
    if isinstance(value, dict) and "tuple" in value:
        return tuple(decoded(v, dtype, leaf) for v in value["tuple"])
    if isinstance(value, dict) and "function" in value:
        return FUNCTIONS[value["function"]]
    return value


def _short(number):
    """Eleven digits are enough to compare float64 with."""
    return float(f"{number:.11g}") if isinstance(number, float) else number


def encoded(value):
    if isinstance(value, np.ndarray):
        data = (
            np.stack([value.real, value.imag], -1) if value.dtype.kind == "c" else value
        )
        result = {"data": [_short(v) for v in data.reshape(-1).tolist()]}
        if value.dtype != np.float64:
            result["dtype"] = value.dtype.name
        if value.ndim != 1:
            result["shape"] = list(value.shape)
        return result
    if isinstance(value, list):
        return [encoded(v) for v in value]
    if isinstance(value, dict):
        return {key: encoded(v) for key, v in value.items()}
    return value


def floats(tree):
    """The arrays of floats among the arguments, in order."""
    leaves = jax.tree_util.tree_leaves(
        tree, is_leaf=lambda v: isinstance(v, np.ndarray)
    )
    return [v for v in leaves if isinstance(v, np.ndarray) and v.dtype == np.float64]


def results_of(name, args, options):
    found = jax.tree_util.tree_leaves(getattr(keras.ops, name)(*args, **options))
    if name in SIGNLESS:
        return [jnp.abs(x) ** 2 if x.dtype.kind == "c" else x * x for x in found]
    return found


def weighed(found):
    total = 0.0
    for x in found:
        if jnp.issubdtype(x.dtype, jnp.floating):
            total = (
                total + (x * (0.5 + jnp.arange(x.size) / x.size).reshape(x.shape)).sum()
            )
    return total


def case(name, args, options):
    jax.config.update("jax_enable_x64", False)
    keras.config.set_floatx("float32")
    plain = {key: decoded(v, "float32") for key, v in options.items()}
    dtypes = [
        np.asarray(x).dtype.name
        for x in jax.tree_util.tree_leaves(
            getattr(keras.ops, name)(*decoded(args, "float32"), **plain)
        )
    ]
    jax.config.update("jax_enable_x64", True)
    keras.config.set_floatx("float64")
    plain = {key: decoded(v, "float64") for key, v in options.items()}
    found = [np.asarray(x) for x in results_of(name, decoded(args, "float64"), plain)]
    result = {
        "name": name,
        "args": encoded(args),
        "options": encoded(options),
        "squared": name in SIGNLESS,
        "dtypes": dtypes,
        "results": [encoded(x) for x in found],
    }

    def loss(arrays):
        rest = iter(arrays)
        leaf = lambda x: next(rest) if x.dtype == np.float64 else jnp.asarray(x)  # noqa: E731
        return weighed(results_of(name, decoded(args, "float64", leaf), plain))

    arrays = [jnp.asarray(x) for x in floats(args)]
    kinds = {x.dtype.name for x in found}
    beams = options.get("strategy") == "beam_search"  # nobody differentiates by these
    if (
        arrays
        and "float64" in kinds
        and not kinds & {"complex128", "float16"}
        and not beams
    ):
        try:
            gradients = [np.asarray(g) for g in jax.grad(loss)(arrays)]
            if all(np.isfinite(g).all() for g in gradients):
                result["gradients"] = [encoded(g) for g in gradients]
        except (NotImplementedError, ValueError) as error:
            print(name, type(error).__name__, str(error)[:80], file=sys.stderr)
    return result


def main():
    content = {
        "versions": {"keras": keras.__version__, "jax": jax.__version__},
        "cases": [case(*row) for row in rows()],
    }
    path = Path(__file__).with_name("ops_nn.json")
    cases = ",\n".join(
        json.dumps(one, separators=(",", ":")) for one in content["cases"]
    )
    head = json.dumps(content["versions"])
    path.write_text(f'{{"versions": {head}, "cases": [\n{cases}\n]}}\n')


if __name__ == "__main__":
    main()

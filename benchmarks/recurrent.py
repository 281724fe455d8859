"""What recurrent layers cost, and what their fast paths gain.

    python -m benchmarks.recurrent          # all cases
    python -m benchmarks.recurrent cells    # some of them

A ratio above 1 is faster than the first line of its case.
"""

import sys

import numpy as np

from benchmarks.timing import report
from minikeras.kernels import lstm as lstm_kernels
from minikeras.kernels import recurrent
from minikeras.kernels import recurrent_back as back
from minikeras.kernels.session import single_threaded_blas
from minikeras.ops import recurrent as ops
from minikeras.ops.numpy import sum
from minikeras.ops.recurrence import CELLS, recurrence
from minikeras.ops.recurrent_steps import compose
from minikeras.training.step import backpropagate
from minikeras.variables import Variable

FUNCTIONS = {1: ops.simple_rnn, 3: ops.gru, 4: ops.lstm}


def _problem(gates, batch, steps, features, units):
    rng = np.random.default_rng(0)
    wide = gates * units
    bias = (2, wide) if gates == 3 else (wide,)
    shapes = (batch, steps, features), (features, wide), (units, wide), bias
    x, *weights = (rng.standard_normal(shape, np.float32) for shape in shapes)
    return x, *(w / np.sqrt(np.float32(units)) for w in weights)


def _pull(function, x, weights):
    """One forward and backward pass to all weights, as a training step does it."""
    variables = [Variable(w) for w in weights]
    backpropagate(lambda: (sum(function(x, *variables)), None), variables)


def cells_case():
    """Each cell on a batch of 32, 50 steps of 16 features, 64 units."""
    for gates, function in FUNCTIONS.items():
        x, *weights = _problem(gates, 32, 50, 16, 64)
        mask = np.arange(50) < np.linspace(10, 50, 32)[:, None]

        def run(x, w, u, b, function=function, **options):
            return function(x, None, w, u, b, **options)[0]

        def train(x=x, weights=weights, run=run, **options):
            with single_threaded_blas:
                _pull(lambda *args: run(*args, **options), x, weights)

        report(
            f"{function.__name__}, 32 sequences of 50 x 16, 64 units",
            {
                "forward": lambda r=run, a=(x, *weights): r(*a),
                "both, last output": lambda t=train: t(return_sequences=False),
                "both, all outputs": train,
                "both, all outputs, padded": lambda t=train, m=mask: t(mask=m),
            },
        )


def composed_case():
    """The fused primitive, or the same recurrence composed of other primitives."""
    for gates in FUNCTIONS:
        x, *weights = _problem(gates, 32, 50, 16, 64)
        plan = ops.Plan(sequences=False)
        states = [None] * (2 if gates == 4 else 1)

        def composed(*args, gates=gates, plan=plan, states=states):
            values = [getattr(arg, "value", arg) for arg in args]
            return compose(*values, *states, gates=gates, plan=plan)

        def fused(*args, gates=gates, plan=plan, states=states):
            values = [getattr(arg, "value", arg) for arg in args]
            return recurrence(*values, *states, gates=gates, plan=plan)

        report(
            f"{FUNCTIONS[gates].__name__}, forward and backward",
            {
                "composed": lambda f=composed, x=x, w=weights: _pull(f, x, w),
                "fused": lambda f=fused, x=x, w=weights: _pull(f, x, w),
            },
        )


def slopes_case():
    """Slopes of tanh and sigmoid from the products that the LSTM has kept, or from the
    outputs of the activations alone."""
    x, *weights = _problem(4, 32, 50, 16, 64)

    def run(usual):
        before = lstm_kernels._usual
        lstm_kernels._usual = lambda plan: usual
        try:
            with single_threaded_blas:
                _pull(lambda *args: ops.lstm(args[0], None, *args[1:])[0], x, weights)
        finally:
            lstm_kernels._usual = before

    report(
        "lstm, forward and backward",
        {"from the outputs": lambda: run(False), "from products": lambda: run(True)},
    )


def chunks_case():
    """Gradients of weights once for the whole sequence, or while a chunk of it is in
    cache."""
    for gates in (3, 4):
        for shape in ((32, 50, 16, 64), (64, 20, 64, 128), (128, 20, 256, 256)):
            x, *weights = _problem(gates, *shape)

            def run(columns, size, x=x, weights=weights, function=FUNCTIONS[gates]):
                before = back.CHUNK_COLUMNS, back.CHUNK_BYTES
                back.CHUNK_COLUMNS, back.CHUNK_BYTES = columns, size
                try:
                    with single_threaded_blas:
                        _pull(lambda x, *w: function(x, None, *w)[0], x, weights)
                finally:
                    back.CHUNK_COLUMNS, back.CHUNK_BYTES = before

            report(
                f"{FUNCTIONS[gates].__name__}, forward and backward {shape}",
                {
                    "whole": lambda r=run: r(1, 1 << 40),
                    "chunks of 1/4 MB, 256 columns": lambda r=run: r(256, 1 << 18),
                    "chunks of 3/8 MB, 256 columns": lambda r=run: r(256, 3 << 17),
                    "chunks of 3/8 MB, 512 columns": lambda r=run: r(512, 3 << 17),
                    "chunks of 1 MB, 512 columns": lambda r=run: r(512, 1 << 20),
                },
            )


def denormals_case():
    """The last output of a long sequence, whose gradient fades on the way back, with
    and without rounding it to zero on the way."""
    right = recurrent.flush
    for gates, function in FUNCTIONS.items():
        x, *weights = _problem(gates, 32, 500, 8, 64)
        weights[1] *= np.float32(0.5)
        cell = CELLS[gates]

        def last(x, w, u, b, function=function):
            return function(x, None, w, u, b, return_sequences=False)[0]

        def run(flush, cell=cell, last=last, x=x, weights=weights):
            cell.flush = flush
            try:
                with single_threaded_blas:
                    _pull(last, x, weights)
            finally:
                cell.flush = right

        report(
            f"{function.__name__}, forward and backward, 500 steps",
            {
                "as it comes": lambda r=run: r(lambda *fading: None),
                "flushed": lambda r=run: r(right),
            },
        )


CASES = {
    name.removesuffix("_case"): run
    for name, run in list(globals().items())
    if name.endswith("_case")
}


def main(names):
    unknown = set(names) - set(CASES)
    if unknown:
        sys.exit(f"unknown: {', '.join(unknown)}; cases are {', '.join(CASES)}")
    for name in names or CASES:
        CASES[name]()


if __name__ == "__main__":
    main(sys.argv[1:])

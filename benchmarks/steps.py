"""What the fast paths of a training step gain; run by `benchmarks.kernels`."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial

import autograd.extend
import numpy as np
from autograd.extend import defvjp_argnums

import minikeras
from benchmarks.models import cnn, step_of
from benchmarks.settings import replaced
from benchmarks.timing import report
from benchmarks.workloads import WORKLOADS
from minikeras import Variable, config, ops
from minikeras.callbacks import CallbackList
from minikeras.kernels import blocking, dense, destinations, update
from minikeras.kernels.session import quiet
from minikeras.models import fusion
from minikeras.ops import log_loss, nn
from minikeras.ops.base import primitive
from minikeras.training.step import backpropagate
from minikeras.variables import structure


def buffers_case():
    """A training step of a convnet in fresh memory, or in memory used before: arrays
    of each size by themselves, or those of sizes near one another together."""
    step = step_of(*cnn())
    report(
        "convnet step, batch 128",
        {
            "fresh": replaced(blocking, "SMALL", 1 << 60, step),
            "used for arrays of one size": replaced(blocking, "SHARED", 0, step),
            "used for sizes up to twice the smallest": step,
        },
    )


def held_blas_case():
    """Steps of fit: BLAS held to one thread in each of them, or once for an epoch."""
    workload = WORKLOADS["mlp"]
    model = workload.build(minikeras)
    x, y = workload.data(workload.steps)

    def epoch():
        model.fit(x, y, batch_size=workload.batch, epochs=1, verbose=0)

    each = replaced(CallbackList, "listens_to_train_batches", True, epoch)
    report(f"{workload.steps} steps of the MLP", {"each": each, "once": epoch})


def denormals_case():
    """Adam on weights whose gradients have been zero for long, with and without."""
    w, m, v = (np.ones(1 << 18, "f4") for _ in range(3))
    g = np.zeros_like(w)

    def step(flush, start):
        m[...] = start
        update.adam(w, g, m, v, None, 1e-3, 0.9, 0.999, 1e-7, flush=flush)

    report(
        "Adam step, 262,144 weights",
        {
            "moments of 1e-40, as they come": lambda: step(False, 1e-40),
            "moments flushed to zero": lambda: step(False, 0.0),
            "a step that flushes": lambda: step(True, 0.0),
        },
    )


def adam_case():
    """Adam on all weights at once, in pieces, and in pieces on several threads."""
    for count in (1 << 17, 1 << 19, 1 << 20, 1 << 22):
        w, g, m, v = (blocking.aligned(np.ones(count, "f4")) for _ in range(4))

        def step(w=w, g=g, m=m, v=v):
            update.adam(w, g, m, v, None, 1e-3, 0.9, 0.999, 1e-7)

        alone = replaced(update, "SHARED", 1 << 62, step)
        shared = replaced(update, "SHARED", 0, step)
        report(
            f"Adam step, {count:,} weights",
            {
                "all at once": replaced(update, "PIECE", 1 << 62, alone),
                "pieces": alone,
                "pieces that are shared, short ones": replaced(
                    update, "SHARED_PIECE", update.PIECE, shared
                ),
                "pieces that are shared": shared,
                "chosen": step,
            },
        )


def gradients_case():
    """A step of dense layers whose gradients are copied to the optimizer's array, or
    made there."""

    @contextmanager
    def nowhere(weights, places):
        yield

    for name in ("mlp", "wide-mlp"):
        workload = WORKLOADS[name]
        model = workload.build(minikeras)
        x, y = workload.data(1)
        step = partial(model.train_on_batch, x, y)
        report(
            f"step, {workload.title}",
            {
                "copied": replaced(destinations, "of_gradients", nowhere, step),
                "made in place": step,
            },
        )


def primitive_case():
    """A small function of weights, alone and while a gradient is taken: as autograd's
    primitive, or as ours."""
    x = np.ones((4, 4), "f4")
    weights = [Variable(np.ones((4, 4), "f4")) for _ in range(2)]
    ways: dict = {"alone": {}, "traced": {}}
    for name, make in (("autograd", autograd.extend.primitive), ("ours", primitive)):
        product = make(lambda x, w, b: np.matmul(np.asarray(x), w) + b)
        defvjp_argnums(product, lambda *_: None)

        def alone(product=product):
            for _ in range(100):
                product(x, *weights)

        def traced(alone=alone):
            backpropagate(lambda: (alone(), None), weights)

        ways["alone"][name], ways["traced"][name] = alone, traced
    for name, both in ways.items():
        report(f"100 calls, {name}", both)


def relu_case():
    """ReLU's gradient on long arrays: in one piece, or in pieces on threads."""
    for count in (1 << 18, 1 << 21, 1 << 23):
        g, y = np.ones(count, "f4"), np.ones(count, "f4")

        def run(g=g, y=y):
            dense.mask_by_output(g, y)

        report(
            f"mask of {count} numbers",
            {"one piece": replaced(blocking, "PIECE", 1 << 30, run), "pieces": run},
        )


def quiet_case():
    """A small product without NumPy's warnings, inside of a step that has none."""
    x, w, y = (np.ones((8, 8), "f4") for _ in range(3))

    def product(block):
        with block():
            np.matmul(x, w, out=y)

    with quiet:
        report(
            "product of 8 by 8 numbers",
            {
                "np.errstate": lambda: product(lambda: np.errstate(all="ignore")),
                "a quiet block in another": lambda: product(lambda: quiet),
            },
        )


def tiny_case():
    """Small matrix products of a dense layer: as a parallel region, or directly."""
    for rows, inputs, outputs in ((1, 64, 64), (32, 64, 10), (32, 64, 64)):
        x, w = np.ones((rows, inputs), "f4"), np.ones((inputs, outputs), "f4")
        bias = np.zeros(outputs, "f4")

        def run(x=x, w=w, bias=bias):
            dense.dense(x, w, bias, relu=True)

        report(
            f"dense {x.shape} @ {w.shape}",
            {"region": replaced(dense, "TINY", -1, run), "directly": run},
        )


def dense_stack_case():
    """A training step of dense layers: called one by one, or as one function."""
    for size, *units in ((784, 128, 10), (8, 16, 16, 16, 16, 4)):
        ways = {}
        for title in ("one by one", "as one function"):
            *hidden, last = units
            layers = [minikeras.layers.Dense(n, activation="relu") for n in hidden]
            layers.append(minikeras.layers.Dense(last, activation="softmax"))
            model = minikeras.Sequential([minikeras.Input((size,)), *layers])
            rng = np.random.default_rng(0)
            x = rng.standard_normal((32, size), np.float32)
            ways[title] = step_of(model, x, rng.integers(0, last, 32))
            ways[title]()
        structure.changed()  # models look again at what they join, then no more
        replaced(fusion, "_dense_activation", lambda _: "", ways["one by one"])()
        report(f"step of {'-'.join(map(str, (size, *units)))}", ways)


def softmax_case():
    """The gradient of a mean of softmax: by primitives, or by NumPy where nothing is
    boxed."""
    for shape in ((32, 10), (128, 10), (64, 1000)):
        variable = Variable(np.random.default_rng(0).normal(size=shape).astype("f4"))
        size = float(variable.size)

        def step(v=variable, size=size):
            backpropagate(lambda: (nn.sum_over(ops.softmax(v.value), size), None), [v])

        composed = replaced(nn, "plain", lambda *_: False, step)
        report(f"softmax {shape}", {"by primitives": composed, "by NumPy": step})


def cross_entropy_case():
    """Cross-entropy of labels with its gradient: composed, or one primitive."""
    for rows, classes in ((32, 10), (128, 10), (64, 1000)):
        rng = np.random.default_rng(0)
        logits = rng.standard_normal((rows, classes), np.float32)
        p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        labels = rng.integers(0, classes, rows)
        low = {"low": 1e-7, "high": 1 - 1e-7}
        for name, values, more, composed, fused in (
            (
                "probabilities",
                p,
                low,
                log_loss._probabilities_composed,
                log_loss._from_probabilities,
            ),
            ("logits", logits, {}, log_loss._logits_composed, log_loss._from_logits),
        ):
            variable = Variable(values)

            def step(function, v=variable, labels=labels, more=more):
                return lambda: backpropagate(
                    lambda: (ops.sum(function(v.value, labels=labels, **more)), None),
                    [v],
                )

            report(
                f"cross-entropy of {name} {values.shape}",
                {"composed": step(composed), "one primitive": step(fused)},
            )


def hand_over_case():
    """Short tasks for threads: each taken under a lock, or from a deque; the threads
    woken by an executor, or by the queue they wait at."""
    rows = np.ones((64, 1 << 15))

    def task(index):
        np.sqrt(rows[index], out=rows[index])

    many, few = range(len(rows)), range(config.threads())
    report(
        f"{len(many)} tasks of about 20 microseconds",
        {
            "iterator and lock": lambda: _parallel_with_lock(task, many),
            "deque": lambda: blocking.parallel(task, many),
            "one thread": lambda: [task(index) for index in many],
        },
    )
    with ThreadPoolExecutor() as executor:
        report(
            f"{len(few)} such tasks, one for each thread",
            {
                "executor": lambda: _parallel_with_executor(task, few, executor),
                "queue": lambda: blocking.parallel(task, few),
                "one thread": lambda: [task(index) for index in few],
            },
        )


def _parallel_with_lock(task, items):
    """`blocking.parallel` with a lock around what hands out the items."""
    rest, lock = iter(items), threading.Lock()

    def work(_):
        while True:
            with lock:
                item = next(rest, None)
            if item is None:
                return
            task(item)

    blocking.parallel(work, range(config.threads()))


def _parallel_with_executor(task, items, executor):
    """`blocking.parallel` with a future for each item but the first."""
    with blocking.single_threaded_blas, np.errstate(all="ignore"):
        futures = [executor.submit(task, item) for item in items[1:]]
        task(items[0])
        for future in futures:
            future.result()

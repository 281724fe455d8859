"""Random layers for sequences with masks, and their data.

A layer is a pair (class name, arguments), in which other layers may stand: cells, the
layer in a wrapper.
"""

import functools
import importlib.util
from pathlib import Path

import numpy as np

BATCH = 4
SAMPLES = 2 * BATCH
ACTIVATIONS = ("tanh", "tanh", "sigmoid", "relu", "elu", "softsign", "linear", None)
GATES = ("sigmoid", "sigmoid", "hard_sigmoid", "tanh", "softsign")


@functools.cache
def load(name):
    """A module of this folder, which is not a package."""
    path = Path(__file__).with_name(f"{name}.py")
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Sequences(load("draw").Drawing):
    """Draws layers for samples of shape (steps, features)."""

    def flag(self, probability=0.5):
        return bool(self.rng.random() < probability)

    # --- what stands in front ---------------------------------------------------

    def front(self, steps):
        """Shape and type of a sample, how many numbers there are, and layers."""
        features = self.pick(2, 3)
        numbers = self.whole(3, 7)
        embedding = (
            "Embedding",
            {
                "input_dim": numbers,
                "output_dim": features,
                "mask_zero": self.flag(0.7),
                "embeddings_regularizer": self.maybe("l2", 0.15),
                "embeddings_constraint": self.maybe("max_norm", 0.15),
            },
        )
        masking = "Masking", {"mask_value": self.pick(0.0, 0.0, 0.5)}
        rescaling = (
            "Rescaling",
            {
                "scale": self.number(0.5, 2),
                "offset": self.pick(0.0, 0.1),
            },
        )
        statistics = (
            "Normalization",
            {
                "axis": -1,
                "mean": [self.number(-0.5, 0.5) for _ in range(features)],
                "variance": [self.number(0.5, 2) for _ in range(features)],
                "invert": self.flag(0.2),
            },
        )
        kind = self.pick("whole", "whole", "real", "real", "real", "other")
        if kind == "whole":
            dtype = self.pick("int32", "float32")
            return (steps,), dtype, numbers, [embedding]
        if kind == "real":
            layers = [masking] if self.flag(0.7) else []
            if self.flag(0.3):
                layers.insert(self.whole(0, len(layers)), self.pick(rescaling))
            elif self.flag(0.3):
                layers.insert(self.whole(0, len(layers)), statistics)
            return (steps, features), "float32", None, layers
        kind = self.pick("bins", "categories", "images", "steps")
        if kind == "bins":
            edges = sorted(self.number(-1.5, 1.5) for _ in range(numbers - 1))
            return (
                (steps,),
                "float32",
                None,
                [("Discretization", {"bin_boundaries": edges}), embedding],
            )
        if kind == "categories":
            encoding = (
                "CategoryEncoding",
                {
                    "num_tokens": numbers,
                    "output_mode": "one_hot",
                },
            )
            return (steps,), "int32", numbers, [encoding]
        height, width = self.whole(3, 5), self.pick(2, 3)
        if kind == "images":
            sizing = self.pick(
                (
                    "Resizing",
                    {
                        "height": steps,
                        "width": 2,
                        "interpolation": self.pick("nearest", "bilinear"),
                    },
                ),
                (
                    "CenterCrop",
                    {"height": min(steps, height), "width": 2},
                ),
            )
            rows = ("Reshape", {"target_shape": (-1, 2 * features)})
            return (height, width, features), "float32", None, [sizing, rows]
        inner = self.pick(
            ("Conv1D", {"filters": self.whole(1, 2), "kernel_size": 2}),
            ("Dense", {"units": 2, "activation": "tanh"}),
            ("LSTM", {"units": 2, "return_sequences": True}),
        )
        ending = self.pick(("Flatten", {}), ("GlobalMaxPooling1D", {}))
        layers = [("TimeDistributed", {"layer": layer}) for layer in (inner, ending)]
        return (steps, width, features), "float32", None, layers

    # --- recurrent layers -------------------------------------------------------

    def cell_arguments(self, kind):
        arguments = {
            "units": self.pick(2, 3, 3),
            "activation": self.pick(*ACTIVATIONS),
            "use_bias": self.flag(0.8),
            "kernel_initializer": self.pick("glorot_uniform", "he_normal"),
            "recurrent_initializer": self.pick("orthogonal", "glorot_uniform"),
            "bias_initializer": self.pick("zeros", "random_normal"),
            "kernel_regularizer": self.maybe("l2", 0.15),
            "recurrent_regularizer": self.maybe("l1", 0.15),
            "bias_regularizer": self.maybe("l2", 0.15),
            "kernel_constraint": self.maybe(self.pick("max_norm", "unit_norm"), 0.15),
            "recurrent_constraint": self.maybe("max_norm", 0.15),
            "bias_constraint": self.maybe("non_neg", 0.1),
        }
        if kind != "SimpleRNN":
            arguments["recurrent_activation"] = self.pick(*GATES)
        if kind == "LSTM":
            arguments["unit_forget_bias"] = self.flag()
        if kind == "GRU":
            arguments["reset_after"] = self.flag()
        return arguments

    def loop_arguments(self, stateful):
        return {
            "return_sequences": self.flag(0.75),
            "go_backwards": self.flag(0.25),
            "unroll": self.flag(0.4),
            "zero_output_for_mask": self.flag(0.25),
            "stateful": stateful,
        }

    def recurrent(self, stateful):
        kind = self.pick("SimpleRNN", "LSTM", "GRU")
        if self.flag(0.7):
            more = {"activity_regularizer": self.maybe("l2", 0.15)}
            return kind, {
                **self.cell_arguments(kind),
                **self.loop_arguments(stateful),
                **more,
            }
        kinds = [kind]
        if self.flag(0.5) and not stateful:  # Keras cannot reset nested states
            kinds.append(self.pick("SimpleRNN", "LSTM", "GRU"))
        cells = [(f"{kind}Cell", self.cell_arguments(kind)) for kind in kinds]
        cell = cells[0] if len(cells) == 1 else cells
        if len(cells) > 1 and self.flag():
            cell = "StackedRNNCells", {"cells": cells}
        return "RNN", {"cell": cell, **self.loop_arguments(stateful)}

    def bidirectional(self, stateful):
        layer = self.recurrent(stateful)
        arguments = {
            "layer": layer,
            "merge_mode": self.pick("concat", "sum", "mul", "ave"),
        }
        if self.flag(0.25):
            name, other = self.recurrent(stateful)
            other["go_backwards"] = not layer[1]["go_backwards"]
            other["return_sequences"] = layer[1]["return_sequences"]
            arguments["backward_layer"] = name, other
        return "Bidirectional", arguments

    # --- layers between and behind ----------------------------------------------

    def distributed(self, shape):
        layer = self.pick(
            ("Dense", {"units": self.pick(2, 3), **self.weight_arguments()}),
            ("Dropout", {"rate": 0.0}),
            ("LayerNormalization", {}),
            ("BatchNormalization", {"momentum": 0.8}),
        )
        return "TimeDistributed", {"layer": layer}

    def attention(self, shape):
        inner = self.pick(
            (
                "MultiHeadAttention",
                {
                    "num_heads": self.whole(1, 2),
                    "key_dim": self.whole(1, 3),
                    "use_bias": self.flag(),
                },
            ),
            ("Attention", {"use_scale": self.flag(), "dropout": 0.0}),
            ("Attention", {"score_mode": "concat"}),
            ("AdditiveAttention", {"use_scale": self.flag()}),
            (
                "GroupQueryAttention",
                {"head_dim": 2, "num_query_heads": 2, "num_key_value_heads": 1},
            ),
        )
        return "SelfAttention", {"inner": inner, "use_causal_mask": self.flag(0.4)}

    def between(self, shape):
        family = self.pick(
            self.dense,
            self.normalization,
            self.regularization,
            self.activation,
            self.convolution,
            self.pooling,
            self.reshaping,
            self.steady,
            self.steady,
        )
        return family(shape)

    def normalization(self, shape):
        name, arguments = super().normalization(shape)
        if arguments.get("groups") == np.prod(shape):  # groups of one number: Adam
            return None  # would divide rounding errors by rounding errors
        return name, arguments

    def steady(self, shape):
        return self.pick(
            ("Dropout", {"rate": 0.0}),
            ("SpatialDropout1D", {"rate": 0.0}),
            ("LayerNormalization", {}),
            ("BatchNormalization", {"momentum": 0.8}),
            ("Activation", {"activation": "tanh"}),
            ("Masking", {"mask_value": 0.0}),
        )

    def layer(self, shape, stateful):
        """A layer for this shape, drawn until one fits."""
        while True:
            if len(shape) != 2:
                drawn = self.between(shape)
            else:
                kind = self.rng.random()
                if kind < 0.3:
                    drawn = self.recurrent(stateful)
                elif kind < 0.45:
                    drawn = self.bidirectional(stateful)
                elif kind < 0.55:
                    drawn = self.distributed(shape)
                elif kind < 0.72:
                    drawn = self.attention(shape)
                else:
                    drawn = self.between(shape)
            if drawn is not None:
                return drawn

    # --- data -------------------------------------------------------------------

    def kept(self, steps):
        """Which steps of each sample count; in some, none does."""
        count = self.rng.integers(1, steps + 1, size=(SAMPLES, 1))
        place = np.arange(steps)
        kept = place < count if self.flag(0.7) else place >= steps - count
        if self.flag(0.2):
            kept = kept & (self.rng.random(kept.shape) < 0.7)
        if self.flag(0.2):
            kept[self.whole(0, SAMPLES - 1)] = False
        return kept

    def samples(self, shape, numbers, layers):
        """Input for the whole model: sequences of several lengths."""
        x = self.inputs((SAMPLES, *shape), numbers)
        if numbers is not None:
            x = np.maximum(x, 1)
        kept = self.kept(shape[0])
        padding = dict(layers).get("Masking", {}).get("mask_value", 0)
        kept = kept.reshape(kept.shape + (1,) * (x.ndim - 2))
        return np.where(kept, x, np.asarray(padding, x.dtype))


def ending(drawing, shape, units, goal):
    """The last layers: one result a sample, or one a step."""
    dense = ("Dense", {"units": units, "activation": goal.activation})
    if len(shape) == 1:
        return [dense]
    if len(shape) == 2 and drawing.flag(0.6):
        return [drawing.pick(dense, ("TimeDistributed", {"layer": dense}))]
    if len(shape) == 2:
        kind = drawing.pick("GlobalAveragePooling1D", "GlobalMaxPooling1D", "Flatten")
        return [(kind, {}), dense]
    return [("Flatten", {}), dense]


def metrics_for(drawing, goal):
    """Names of metrics, and of weighted ones."""
    names = ["mean_absolute_error", "mean_squared_error", "cosine_similarity"]
    if goal.kind == "labels":
        names = ["accuracy", "sparse_categorical_crossentropy"]
    if goal.kind == "one_hot":
        names += ["accuracy", "categorical_accuracy"]
    if goal.kind == "binary":
        names += ["binary_accuracy"]
    drawing.rng.shuffle(names)  # with a name in both, Keras lists one of them twice
    return names[: drawing.whole(0, 1)], names[1 : 1 + drawing.whole(0, 1)]


def sample_weights(drawing, shape):
    """One for each sample, one for each step of each sample, or None."""
    if drawing.flag(0.5):
        return None
    size = shape[:-1] if len(shape) > 2 and drawing.flag(0.6) else shape[:1]
    return drawing.rng.uniform(0.2, 2, size=size).astype("float32")

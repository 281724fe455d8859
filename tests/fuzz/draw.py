"""Random Sequential models, as Keras configs, with a loss, an optimizer and data.

Every layer class has a function that draws its arguments for the shape it will see, or
returns None where it does not fit. Keras itself builds the model and says whether the
arguments go together.
"""

import numpy as np

SMALL = ("relu", "tanh", "sigmoid", "elu", "softplus", "gelu", "silu", "linear", None)


class Drawing:
    """Draws with one generator; each method takes the shape of a sample."""

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)

    def pick(self, *values):
        return values[self.rng.integers(len(values))]

    def whole(self, low, high):
        return int(self.rng.integers(low, high + 1))

    def number(self, low, high):
        return round(float(self.rng.uniform(low, high)), 3)

    def maybe(self, value, probability=0.25):
        return value if self.rng.random() < probability else None

    # --- shapes -----------------------------------------------------------------

    def input_shape(self):
        rank = self.pick(1, 1, 2, 2, 3, 3, 3, 4)
        most = {1: 9, 2: 9, 3: 9, 4: 6}[rank]
        sizes = [self.whole(4, most) for _ in range(rank - 1)]
        return (*sizes, self.whole(1, 4) if rank > 1 else self.whole(2, 8))

    # --- common arguments -------------------------------------------------------

    def weight_arguments(self):
        return {
            "kernel_initializer": self.pick(
                "glorot_uniform", "he_normal", "lecun_uniform", "random_normal"
            ),
            "bias_initializer": self.pick("zeros", "random_normal", "ones"),
            "use_bias": self.pick(True, True, False),
            "activation": self.pick(*SMALL),
            "kernel_regularizer": self.maybe(self.pick("l1", "l2", "l1_l2"), 0.15)
            and self.pick("l1", "l2"),
            "activity_regularizer": self.maybe("l2", 0.1),
            "kernel_constraint": self.maybe(self.pick("max_norm", "unit_norm"), 0.1),
        }

    def window(self, rank, sizes, strided=True):
        kernel = [self.whole(1, min(3, size)) for size in sizes]
        strides, dilation = [1] * rank, [1] * rank
        if strided and self.rng.random() < 0.4:
            strides = [self.whole(1, 2)] * rank
        elif self.rng.random() < 0.3:
            dilation = [self.whole(1, 2)] * rank
        return {
            "kernel_size": kernel,
            "strides": strides,
            "dilation_rate": dilation,
            "padding": self.pick("valid", "same"),
        }

    # --- layers: (class name, arguments) or None --------------------------------

    def dense(self, shape):
        return "Dense", {"units": self.whole(1, 6), **self.weight_arguments()}

    def einsum_dense(self, shape):
        if len(shape) > 2:
            return None  # Keras 3.15 tells the axes of a longer "..." in reverse
        units = self.whole(1, 5)
        return "EinsumDense", {
            "equation": "...x,xy->...y",
            "output_shape": units,
            "bias_axes": self.maybe("y", 0.5),
            "activation": self.pick(*SMALL),
        }

    def convolution(self, shape):
        rank = len(shape) - 1
        if not 1 <= rank <= 3:
            return None
        kind = self.pick("", "", "Transpose", "Depthwise", "Separable")
        sizes, channels = shape[:-1], shape[-1]
        arguments = {**self.window(rank, sizes), **self.weight_arguments()}
        if kind in ("Depthwise", "Separable"):
            if rank == 3:
                return None
            for old, new in (
                ("kernel_initializer", "depthwise_initializer"),
                ("kernel_regularizer", "depthwise_regularizer"),
                ("kernel_constraint", "depthwise_constraint"),
            ):
                arguments[new] = arguments.pop(old)
            arguments["strides"] = arguments["strides"][0]
            arguments["dilation_rate"] = arguments["dilation_rate"][0]
            arguments["depth_multiplier"] = self.whole(1, 2)
            if kind == "Separable":
                arguments["filters"] = self.whole(1, 4)
            if rank == 1:
                arguments["kernel_size"] = arguments["kernel_size"][0]
            name = "DepthwiseConv" if kind == "Depthwise" else "SeparableConv"
            return f"{name}{rank}D", arguments
        groups = self.pick(1, 1, *(g for g in (2, 3, 4) if channels % g == 0))
        arguments["filters"] = groups * self.whole(1, 3)
        if kind == "Transpose":
            arguments["filters"] = self.whole(1, 4)
        else:
            arguments["groups"] = groups
        if kind == "" and rank == 1 and self.rng.random() < 0.3:
            arguments["padding"] = "causal"
        return f"Conv{rank}D{kind}", arguments

    def pooling(self, shape):
        rank = len(shape) - 1
        if not 1 <= rank <= 3:
            return None
        arguments = {
            "pool_size": [self.whole(1, min(3, size)) for size in shape[:-1]],
            "strides": self.maybe([self.whole(1, 3) for _ in range(rank)], 0.5),
            "padding": self.pick("valid", "same"),
        }
        return f"{self.pick('Max', 'Average')}Pooling{rank}D", arguments

    def global_pooling(self, shape):
        rank = len(shape) - 1
        if not 1 <= rank <= 3 or self.rng.random() < 0.5:
            return None
        kind = self.pick("Max", "Average")
        return f"Global{kind}Pooling{rank}D", {"keepdims": self.pick(True, False)}

    def adaptive_pooling(self, shape):
        rank = len(shape) - 1
        if not 1 <= rank <= 3:
            return None
        sizes = [self.whole(1, size) for size in shape[:-1]]
        size = sizes[0] if rank == 1 else tuple(sizes)
        kind = self.pick("Max", "Average")
        return f"Adaptive{kind}Pooling{rank}D", {"output_size": size}

    def reshaping(self, shape):
        rank = len(shape) - 1
        kind = self.pick("Reshape", "Permute", "Flatten", "Pad", "Crop", "Up", "Repeat")
        if kind == "Reshape":
            target = (-1, shape[-1]) if rank else (shape[-1], 1)
            return "Reshape", {"target_shape": target}
        if kind == "Permute" and rank:
            order = self.rng.permutation(rank + 1) + 1
            return "Permute", {"dims": tuple(int(n) for n in order)}
        if kind == "Repeat" and rank == 0:
            return "RepeatVector", {"n": self.whole(1, 3)}
        if kind == "Flatten":
            return "Flatten", {}
        if not 1 <= rank <= 3:
            return None
        pairs = tuple((self.whole(0, 1), self.whole(0, 1)) for _ in range(rank))
        pairs = pairs[0] if rank == 1 else pairs
        if kind == "Pad":
            return f"ZeroPadding{rank}D", {"padding": pairs}
        if kind == "Crop":
            return f"Cropping{rank}D", {"cropping": pairs}
        if kind == "Up":
            size = self.whole(1, 2) if rank == 1 else (self.whole(1, 2),) * rank
            arguments = {"size": size}
            if rank == 2:
                arguments["interpolation"] = self.pick("nearest", "bilinear", "bicubic")
            return f"UpSampling{rank}D", arguments
        return None

    def normalization(self, shape):
        kind = self.pick("Batch", "Batch", "Layer", "Group", "RMS", "Unit")
        if kind == "Batch":
            return "BatchNormalization", {
                "momentum": self.number(0.5, 0.99),
                "epsilon": self.pick(1e-3, 1e-2),
                "center": self.pick(True, True, False),
                "scale": self.pick(True, True, False),
            }
        if kind == "Layer":
            return "LayerNormalization", {
                "axis": self.pick(-1, -1, list(range(1, len(shape) + 1))),
                "center": self.pick(True, False),
                "scale": self.pick(True, False),
            }
        if kind == "Group":
            groups = self.pick(*(g for g in (1, 2, 3, 4) if shape[-1] % g == 0))
            return "GroupNormalization", {"groups": groups}
        if kind == "RMS":
            return "RMSNormalization", {}
        return "UnitNormalization", {"axis": -1}

    def regularization(self, shape):
        kind = self.pick("Dropout", "GaussianNoise", "Activity", "Alpha", "Identity")
        if kind == "Dropout":
            return "Dropout", {"rate": 0.0}
        if kind == "GaussianNoise":
            return "GaussianNoise", {"stddev": 0.0}
        if kind == "Alpha":
            return "AlphaDropout", {"rate": 0.0}
        if kind == "Activity":
            return "ActivityRegularization", {"l1": 0.01, "l2": self.number(0, 0.05)}
        return "Identity", {}

    def activation(self, shape):
        kind = self.pick("Activation", "ReLU", "LeakyReLU", "PReLU", "ELU", "Softmax")
        if kind == "Activation":
            names = (*SMALL[:-1], "selu", "softsign", "mish", "exponential", "softmax")
            return "Activation", {"activation": self.pick(*names)}
        if kind == "ReLU":
            return "ReLU", {
                "max_value": self.maybe(self.number(1, 4)),
                "negative_slope": self.pick(0.0, 0.1),
                "threshold": self.pick(0.0, 0.2),
            }
        if kind == "LeakyReLU":
            return "LeakyReLU", {"negative_slope": self.number(0, 0.5)}
        if kind == "PReLU":
            shared = list(range(1, len(shape))) if len(shape) > 1 else None
            return "PReLU", {"shared_axes": self.maybe(shared, 0.5)}
        if kind == "ELU":
            return "ELU", {"alpha": self.number(0.5, 1.5)}
        return "Softmax", {"axis": -1}

    def layer(self, shape):
        """A layer for this shape, drawn until one fits."""
        families = (
            self.dense,
            self.convolution,
            self.convolution,
            self.pooling,
            self.global_pooling,
            self.adaptive_pooling,
            self.reshaping,
            self.normalization,
            self.regularization,
            self.activation,
            self.einsum_dense,
        )
        while True:
            drawn = self.pick(*families)(shape)
            if drawn is not None:
                return drawn

    # --- the rest ---------------------------------------------------------------

    def optimizer(self):
        """(class name, arguments)."""
        name = self.pick(
            "SGD",
            "RMSprop",
            "Adam",
            "AdamW",
            "Adadelta",
            "Adagrad",
            "Adamax",
            "Adafactor",
            "Nadam",
            "Ftrl",
            "Lion",
            "Lamb",
        )
        arguments = {"learning_rate": self.pick(0.01, 0.03)}
        if name == "SGD":
            arguments.update(
                momentum=self.pick(0.0, 0.9), nesterov=self.pick(True, False)
            )
        if name == "Lion":
            arguments["learning_rate"] = 0.003
        clip = self.pick(None, None, None, "clipnorm", "clipvalue", "global_clipnorm")
        if clip:
            arguments[clip] = self.number(0.1, 1.0)
        if self.rng.random() < 0.2:
            arguments["weight_decay"] = 0.01
        if self.rng.random() < 0.1:
            arguments.update(use_ema=True, ema_momentum=0.8)
        return name, arguments

    def loss(self, units):
        """(class name, arguments, activation of the last layer, kind of target)."""
        plain = (
            "MeanSquaredError",
            "MeanAbsoluteError",
            "Huber",
            "LogCosh",
            "CosineSimilarity",
            "MeanSquaredLogarithmicError",
        )
        choices = [(self.pick(*plain), {}, None, "real")]
        choices.append(("BinaryCrossentropy", {}, "sigmoid", "binary"))
        choices.append(("BinaryCrossentropy", {"from_logits": True}, None, "binary"))
        choices.append(("BinaryFocalCrossentropy", {}, "sigmoid", "binary"))
        choices.append((self.pick("Hinge", "SquaredHinge"), {}, None, "binary"))
        choices.append(("Poisson", {}, "softplus", "positive"))
        if units > 1:
            smooth = self.pick(0.0, 0.1)
            choices += [
                (
                    "CategoricalCrossentropy",
                    {"label_smoothing": smooth},
                    "softmax",
                    "one_hot",
                ),
                ("CategoricalCrossentropy", {"from_logits": True}, None, "one_hot"),
                ("SparseCategoricalCrossentropy", {}, "softmax", "labels"),
                (
                    "SparseCategoricalCrossentropy",
                    {"from_logits": True},
                    None,
                    "labels",
                ),
                ("CategoricalFocalCrossentropy", {}, "softmax", "one_hot"),
                ("KLDivergence", {}, "softmax", "distribution"),
                ("CategoricalHinge", {}, None, "one_hot"),
            ]
        name, arguments, activation, kind = choices[self.rng.integers(len(choices))]
        reduction = self.pick("sum_over_batch_size", "sum_over_batch_size", "sum")
        return name, {**arguments, "reduction": reduction}, activation, kind

    def target(self, kind, shape):
        """Targets of one kind for outputs of a shape."""
        draw = self.rng
        if kind == "real":
            return draw.normal(size=shape).astype("float32")
        if kind == "positive":
            return draw.integers(0, 4, size=shape).astype("float32")
        if kind == "binary":
            return draw.integers(0, 2, size=shape).astype("float32")
        labels = draw.integers(0, shape[-1], size=shape[:-1])
        if kind == "labels":
            return labels.astype("int32")
        hot = np.eye(shape[-1], dtype="float32")[labels]
        if kind == "one_hot":
            return hot
        mixed = hot + draw.uniform(0, 1, size=shape)
        return (mixed / mixed.sum(-1, keepdims=True)).astype("float32")

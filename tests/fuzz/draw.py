"""Random layers, as class names and arguments.

Every family has a method that draws a class and its arguments for the shape it will
see, or returns None where it does not fit. Keras itself builds the model and says
whether the arguments go together.
"""

import numpy as np

SMALL = ("relu", "tanh", "sigmoid", "elu", "softplus", "gelu", "silu", "linear", None)


def shifted(x, by=0.5):
    return x * 0.5 + by


def squared(x):
    return x * x


def more_in_training(x, training=None):
    return x * 1.5 if training else x


def without_first(x):
    return x[:, 1:]


FUNCTIONS = (shifted, squared, more_in_training, without_first)  # of Lambda layers


class Drawing:
    """Draws with one generator; each method takes the shape of a sample.

    A layer is a pair (class name, arguments); a wrapper's argument `layer` is one too.
    """

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

    def whole_numbers(self):
        """Of how many whole numbers the input consists; None for real numbers."""
        return self.maybe(self.whole(2, 7), 0.2)

    def inputs(self, shape, numbers):
        if numbers is None:
            return self.rng.normal(size=shape).astype("float32")
        return self.rng.integers(0, numbers, size=shape).astype("int32")

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
        units, more = self.whole(1, 5), self.whole(1, 3)
        forms = [("...x,xy->...y", units, "y")]
        if len(shape) == 2:
            forms.append(("abc,cde->abde", (None, units, more), self.pick("d", "de")))
            forms.append(("abc,bd->adc", (units, None), self.pick("c", "d", "dc")))
        if len(shape) > 1:
            forms.append(("ab...,bc->ac...", units, "c"))
        equation, output, axes = self.pick(*forms)
        return "EinsumDense", {
            "equation": equation,
            "output_shape": output,
            "bias_axes": self.maybe(axes, 0.5),
            "activation": self.pick(*SMALL),
        }

    def embedding(self, numbers):
        """The first layer of a model whose input are whole numbers."""
        layer = (
            "Embedding",
            {
                "input_dim": numbers,
                "output_dim": self.whole(1, 5),
                "embeddings_initializer": self.pick("uniform", "random_normal"),
                "embeddings_regularizer": self.maybe(self.pick("l1", "l2"), 0.2),
                "embeddings_constraint": self.maybe("max_norm", 0.2),
            },
        )
        return self.normalized(layer) if self.rng.random() < 0.2 else layer

    def normalized(self, layer):
        iterations = self.whole(1, 3)
        return "SpectralNormalization", {
            "layer": layer,
            "power_iterations": iterations,
        }

    def spectral(self, shape):
        layer = self.pick(self.dense, self.convolution, self.einsum_dense)(shape)
        return layer and self.normalized(layer)

    def function(self, shape):
        function = self.pick(*FUNCTIONS)
        arguments = {"by": self.number(-1, 1)} if function is shifted else None
        known = shape if function is not without_first else (shape[0] - 1, *shape[1:])
        return "Lambda", {
            "function": function,
            "output_shape": self.maybe(known, 0.5),
            "arguments": arguments,
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
        # Not 7: Keras on JAX rounds n * 7 / 7 up, and its windows are too long.
        sizes = [self.whole(1, min(6, size)) for size in shape[:-1]]
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
            order = tuple(int(n) for n in self.rng.permutation(rank + 1) + 1)
            if order == tuple(sorted(order)):
                return None  # JAX returns the array itself, and with it a lost mask
            return "Permute", {"dims": order}
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
            self.spectral,
            self.function,
        )
        while True:
            drawn = self.pick(*families)(shape)
            if drawn is not None:
                return drawn

"""Write docs/reference.md: every name of Keras' families, and its state here.

python scripts/reference.py
"""

import json
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).parent.parent
NAMES = ROOT / "tests" / "golden" / "names.json"
PAGE = ROOT / "docs" / "reference.md"

# What is here but not quite as in Keras 3.15, by family and name.
DIFFERS = {
    "activations": {
        "sparsemax": "sums to 1 as in the paper; Keras' does not if more than one "
        "result is above zero",
    },
    "callbacks": {
        "LambdaCallback": "refuses names that are not hooks",
    },
    "constraints": {
        "MaxNorm": "refuses a negative length",
        "MinMaxNorm": "refuses a negative length, min above max, a rate outside [0, 1]",
    },
    "initializers": {
        "Identity": "its config keeps `gain`",
        "STFT": "six window functions, or an array; angles in float64",
    },
    "layers": {
        "AlphaDropout": "refuses a rate of 1 when made",
        "CategoryEncoding": "numbers out of range are refused, Keras on JAX drops "
        "them; `sparse` is refused",
        "Discretization": "unsorted boundaries and NaN in `adapt` are refused",
        "Bidirectional": "`concat` of two layers of different sizes tells the real "
        "size",
        "BatchNormalization": "`synchronized` and `renorm` are refused",
        "EinsumDense": "a None in `output_shape` is taken from the input; the output "
        "shape is the real one where Keras reverses the axes of `...`; LoRA and "
        "quantization are refused",
        "Dense": "LoRA and quantization are refused",
        "Embedding": "numbers out of range are refused; LoRA and quantization too",
        "GaussianDropout": "refuses a rate of 1 when made",
        "GRU": "`use_cudnn=True` is refused",
        "GroupNormalization": "integer input gives floats",
        "GroupQueryAttention": "`flash_attention=True` is refused; value and query may "
        "differ in their last size",
        "HashedCrossing": "`sparse` is refused",
        "Hashing": "`sparse` is refused",
        "Input": "an `InputLayer`, which a Sequential begins with; no symbolic tensor",
        "InputLayer": "`sparse`, `ragged`, `optional`, `input_tensor` are refused",
        "Lambda": "a Python lambda is refused in configs, when written and when read",
        "Layer": "weights are plain arrays on the layer, their handles in `weights`; "
        "no symbolic tensors, no mixed precision or quantization",
        "IntegerLookup": "`sparse` is refused",
        "LSTM": "`use_cudnn=True` is refused",
        "LayerNormalization": "integer input gives floats",
        "MultiHeadAttention": "`flash_attention=True` is refused; an explicit "
        "`query_mask` is honoured",
        "Normalization": "`set_weights` takes effect at once",
        "RandomBrightness": "whole numbers saturate; Keras' wrap around",
        "RandomCrop": "outside of training the centre, as Keras' documentation says; "
        "Keras returns the whole image",
        "Rescaling": "with channels first an array `offset` moves to the channels too",
        "SimpleRNN": "`activity_regularizer` is honoured",
        "StackedRNNCells": "a stack of one cell works",
        "StringLookup": "`invert=True` gives str, Keras bytes; `sparse` is refused",
        "TextVectorization": "`sparse` and `ragged` are refused",
        "SpectralNormalization": "a `kernel_regularizer` sees the raw kernel",
    },
    "losses": {
        "binary_crossentropy": "a vector and a column fit each other",
        "sparse_categorical_crossentropy": "labels out of range are refused; "
        "any `axis`",
        "SparseCategoricalCrossentropy": "labels out of range are refused; any `axis`",
    },
    "optimizers": {
        "SGD": "a negative learning rate is refused",
    },
    "regularizers": {
        "L1": "the gradient at 0 is 0; Keras on JAX has 1",
        "OrthogonalRegularizer": "its config keeps the factor as given",
    },
}

RECURRENT = "not offered; an `RNN` runs a cell of your own"
PREPROCESSING = "layers of sounds are not offered"
AUGMENTATION = "not offered; change the images before training"
OTHER = "it wraps a model of another framework"

# What is not here, and why.
NOT_OFFERED = {
    "callbacks": {
        "BackupAndRestore": "files are not written yet",
        "CSVLogger": "write `History.history` with the csv module",
        "LearningRateScheduler": "use a schedule as `learning_rate`",
        "ModelCheckpoint": "files are not written yet",
        "OrbaxCheckpoint": "it belongs to JAX",
        "ProgbarLogger": "`fit` shows its own bar; see `verbose`",
        "ReduceLROnPlateau": "not yet; set `optimizer.learning_rate` in a callback",
        "RemoteMonitor": "send logs from a callback of your own",
        "SwapEMAWeights": "use `ema_overwrite_frequency`",
        "TensorBoard": "it belongs to TensorFlow",
    },
    "layers": {
        **dict.fromkeys(
            (
                "ConvLSTM1D",
                "ConvLSTM2D",
                "ConvLSTM3D",
            ),
            RECURRENT,
        ),
        **dict.fromkeys(
            (
                "MelSpectrogram",
                "STFTSpectrogram",
            ),
            PREPROCESSING,
        ),
        **dict.fromkeys(
            (
                "AugMix",
                "AutoContrast",
                "ContrastLimitedAdaptiveHistogramEqualization",
                "CutMix",
                "Equalization",
                "MaxNumBoundingBoxes",
                "MixUp",
                "RandAugment",
                "RandomColorDegeneration",
                "RandomColorJitter",
                "RandomElasticTransform",
                "RandomErasing",
                "RandomGaussianBlur",
                "RandomGrayscale",
                "RandomHue",
                "RandomInvert",
                "RandomPerspective",
                "RandomPosterization",
                "RandomSaturation",
                "RandomSharpness",
                "RandomShear",
                "Solarization",
            ),
            AUGMENTATION,
        ),
        **dict.fromkeys(
            ("FlaxLayer", "JaxLayer", "TFSMLayer", "TorchModuleWrapper"), OTHER
        ),
        "ReversibleEmbedding": "not offered; share weights in a layer of your own",
    },
    "optimizers": {
        "LossScaleOptimizer": "it belongs to mixed precision",
        "MultiOptimizer": "not offered; train parts in turn with `trainable`",
        "Muon": "not offered yet",
        "OptimizerMap": "not offered; train parts in turn with `trainable`",
        "ScheduleFreeAdamW": "not offered yet",
    },
}


def state(family, name):
    """(state, remark) of a name of Keras."""
    if name in DIFFERS.get(family, {}):
        return "differs", DIFFERS[family][name]
    if name in NOT_OFFERED.get(family, {}):
        return "not offered", NOT_OFFERED[family][name]
    return "same", ""


def offered(family, name):
    """Whether minikeras has the name."""
    return hasattr(import_module(f"minikeras.{family}"), name)


def page():
    """The text of docs/reference.md."""
    found = json.loads(NAMES.read_text())
    lines = [
        "# Every name of Keras, and its state here",
        "",
        f"The public names of Keras {found['version']} in the families that minikeras "
        "follows.",
        "`same` means the same arguments, defaults, configs and numbers, to float32",
        "rounding. Written by `scripts/reference.py`; `tests/test_reference.py` keeps",
        "it true.",
    ]
    for family, names in found["names"].items():
        rows = [(name, *state(family, name)) for name in names]
        same = [name for name, what, _ in rows if what == "same"]
        lines += ["", f"## keras.{family}", ""]
        lines += [f"Same: {', '.join(f'`{name}`' for name in same)}."]
        others = [row for row in rows if row[1] != "same"]
        if others:
            lines += ["", "| name | state | |", "|---|---|---|"]
            lines += [f"| `{n}` | {what} | {why} |" for n, what, why in others]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page())

"""Losses: what training makes small."""

from typing import TYPE_CHECKING

from minikeras.lazy import names_from, words
from minikeras.losses.base import SHORT_NAMES, family

if TYPE_CHECKING:
    from minikeras.losses.alignment import CTC as CTC, ctc as ctc
    from minikeras.losses.base import (
        Loss as Loss,
        LossFunctionWrapper as LossFunctionWrapper,
        deserialize as deserialize,
        get as get,
        serialize as serialize,
    )
    from minikeras.losses.crossentropy import (
        BinaryCrossentropy as BinaryCrossentropy,
        CategoricalCrossentropy as CategoricalCrossentropy,
        SparseCategoricalCrossentropy as SparseCategoricalCrossentropy,
        binary_crossentropy as binary_crossentropy,
        categorical_crossentropy as categorical_crossentropy,
        sparse_categorical_crossentropy as sparse_categorical_crossentropy,
    )
    from minikeras.losses.margins import (
        CategoricalHinge as CategoricalHinge,
        Hinge as Hinge,
        SquaredHinge as SquaredHinge,
        categorical_hinge as categorical_hinge,
        hinge as hinge,
        squared_hinge as squared_hinge,
    )
    from minikeras.losses.probabilistic import (
        BinaryFocalCrossentropy as BinaryFocalCrossentropy,
        CategoricalFocalCrossentropy as CategoricalFocalCrossentropy,
        CategoricalGeneralizedCrossEntropy as CategoricalGeneralizedCrossEntropy,
        KLDivergence as KLDivergence,
        Poisson as Poisson,
        binary_focal_crossentropy as binary_focal_crossentropy,
        categorical_focal_crossentropy as categorical_focal_crossentropy,
        categorical_generalized_cross_entropy as categorical_generalized_cross_entropy,
        kl_divergence as kl_divergence,
        poisson as poisson,
    )
    from minikeras.losses.regression import (
        CosineSimilarity as CosineSimilarity,
        Huber as Huber,
        LogCosh as LogCosh,
        MeanAbsoluteError as MeanAbsoluteError,
        MeanAbsolutePercentageError as MeanAbsolutePercentageError,
        MeanSquaredError as MeanSquaredError,
        MeanSquaredLogarithmicError as MeanSquaredLogarithmicError,
        cosine_similarity as cosine_similarity,
        huber as huber,
        log_cosh as log_cosh,
        mean_absolute_error as mean_absolute_error,
        mean_absolute_percentage_error as mean_absolute_percentage_error,
        mean_squared_error as mean_squared_error,
        mean_squared_logarithmic_error as mean_squared_logarithmic_error,
    )
    from minikeras.losses.segmentation import (
        Dice as Dice,
        Tversky as Tversky,
        dice as dice,
        tversky as tversky,
    )
    from minikeras.losses.similarity import Circle as Circle, circle as circle
else:
    _BASE = {".base": "Loss LossFunctionWrapper deserialize get serialize"}
    _LOSSES = {
        ".alignment": "CTC ctc",
        ".crossentropy": """
            BinaryCrossentropy CategoricalCrossentropy SparseCategoricalCrossentropy
            binary_crossentropy categorical_crossentropy sparse_categorical_crossentropy
        """,
        ".margins": """
            CategoricalHinge Hinge SquaredHinge categorical_hinge hinge squared_hinge
        """,
        ".probabilistic": """
            BinaryFocalCrossentropy CategoricalFocalCrossentropy
            CategoricalGeneralizedCrossEntropy KLDivergence Poisson
            binary_focal_crossentropy categorical_focal_crossentropy
            categorical_generalized_cross_entropy kl_divergence poisson
        """,
        ".regression": """
            CosineSimilarity Huber LogCosh MeanAbsoluteError MeanAbsolutePercentageError
            MeanSquaredError MeanSquaredLogarithmicError cosine_similarity huber
            log_cosh mean_absolute_error mean_absolute_percentage_error
            mean_squared_error mean_squared_logarithmic_error
        """,
        ".segmentation": "Dice Tversky dice tversky",
        ".similarity": "Circle circle",
    }
    _ALIASES = SHORT_NAMES | {
        "kld": "kl_divergence",
        "KLD": "kl_divergence",
        "kullback_leibler_divergence": "kl_divergence",
        "logcosh": "log_cosh",
    }
    __getattr__, __dir__, __all__ = names_from(__name__, _BASE | _LOSSES)
    family.add_later(words(_LOSSES), __getattr__, _ALIASES)

"""Metrics: numbers that judge a model, collected over batches."""

from typing import TYPE_CHECKING

from minikeras.lazy import names_from, words
from minikeras.losses.base import SHORT_NAMES
from minikeras.metrics.base import family

if TYPE_CHECKING:
    from minikeras.metrics.accuracy import (
        Accuracy as Accuracy,
        BinaryAccuracy as BinaryAccuracy,
        CategoricalAccuracy as CategoricalAccuracy,
        SparseCategoricalAccuracy as SparseCategoricalAccuracy,
        SparseTopKCategoricalAccuracy as SparseTopKCategoricalAccuracy,
        TopKCategoricalAccuracy as TopKCategoricalAccuracy,
        binary_accuracy as binary_accuracy,
        categorical_accuracy as categorical_accuracy,
        sparse_categorical_accuracy as sparse_categorical_accuracy,
        sparse_top_k_categorical_accuracy as sparse_top_k_categorical_accuracy,
        top_k_categorical_accuracy as top_k_categorical_accuracy,
    )
    from minikeras.metrics.auc import AUC as AUC
    from minikeras.metrics.base import (
        Mean as Mean,
        MeanMetricWrapper as MeanMetricWrapper,
        Metric as Metric,
        Sum as Sum,
        deserialize as deserialize,
        get as get,
        serialize as serialize,
    )
    from minikeras.metrics.confusion import (
        FalseNegatives as FalseNegatives,
        FalsePositives as FalsePositives,
        Precision as Precision,
        Recall as Recall,
        TrueNegatives as TrueNegatives,
        TruePositives as TruePositives,
    )
    from minikeras.metrics.f_score import F1Score as F1Score, FBetaScore as FBetaScore
    from minikeras.metrics.from_losses import (
        BinaryCrossentropy as BinaryCrossentropy,
        CategoricalCrossentropy as CategoricalCrossentropy,
        CategoricalHinge as CategoricalHinge,
        CosineSimilarity as CosineSimilarity,
        Hinge as Hinge,
        KLDivergence as KLDivergence,
        LogCoshError as LogCoshError,
        MeanAbsoluteError as MeanAbsoluteError,
        MeanAbsolutePercentageError as MeanAbsolutePercentageError,
        MeanSquaredError as MeanSquaredError,
        MeanSquaredLogarithmicError as MeanSquaredLogarithmicError,
        Poisson as Poisson,
        RootMeanSquaredError as RootMeanSquaredError,
        SparseCategoricalCrossentropy as SparseCategoricalCrossentropy,
        SquaredHinge as SquaredHinge,
    )
    from minikeras.metrics.iou import (
        BinaryIoU as BinaryIoU,
        IoU as IoU,
        MeanIoU as MeanIoU,
        OneHotIoU as OneHotIoU,
        OneHotMeanIoU as OneHotMeanIoU,
    )
    from minikeras.metrics.operating_point import (
        PrecisionAtRecall as PrecisionAtRecall,
        RecallAtPrecision as RecallAtPrecision,
        SensitivityAtSpecificity as SensitivityAtSpecificity,
        SpecificityAtSensitivity as SpecificityAtSensitivity,
    )
    from minikeras.metrics.regression import (
        ConcordanceCorrelation as ConcordanceCorrelation,
        PearsonCorrelation as PearsonCorrelation,
        R2Score as R2Score,
        concordance_correlation as concordance_correlation,
        pearson_correlation as pearson_correlation,
    )
    from minikeras.losses import (
        binary_crossentropy as binary_crossentropy,
        binary_focal_crossentropy as binary_focal_crossentropy,
        categorical_crossentropy as categorical_crossentropy,
        categorical_focal_crossentropy as categorical_focal_crossentropy,
        categorical_hinge as categorical_hinge,
        hinge as hinge,
        huber as huber,
        kl_divergence as kl_divergence,
        log_cosh as log_cosh,
        mean_absolute_error as mean_absolute_error,
        mean_absolute_percentage_error as mean_absolute_percentage_error,
        mean_squared_error as mean_squared_error,
        mean_squared_logarithmic_error as mean_squared_logarithmic_error,
        poisson as poisson,
        sparse_categorical_crossentropy as sparse_categorical_crossentropy,
        squared_hinge as squared_hinge,
    )
else:
    _BASE = {".base": "Mean MeanMetricWrapper Metric Sum deserialize get serialize"}
    _METRICS = {
        ".accuracy": """
            Accuracy BinaryAccuracy CategoricalAccuracy SparseCategoricalAccuracy
            SparseTopKCategoricalAccuracy TopKCategoricalAccuracy binary_accuracy
            categorical_accuracy sparse_categorical_accuracy
            sparse_top_k_categorical_accuracy top_k_categorical_accuracy
        """,
        ".auc": "AUC",
        ".confusion": """
            FalseNegatives FalsePositives Precision Recall TrueNegatives TruePositives
        """,
        ".f_score": "F1Score FBetaScore",
        ".from_losses": """
            BinaryCrossentropy CategoricalCrossentropy CategoricalHinge CosineSimilarity
            Hinge KLDivergence LogCoshError MeanAbsoluteError
            MeanAbsolutePercentageError MeanSquaredError MeanSquaredLogarithmicError
            Poisson RootMeanSquaredError SparseCategoricalCrossentropy SquaredHinge
        """,
        ".iou": "BinaryIoU IoU MeanIoU OneHotIoU OneHotMeanIoU",
        ".operating_point": """
            PrecisionAtRecall RecallAtPrecision SensitivityAtSpecificity
            SpecificityAtSensitivity
        """,
        ".regression": """
            ConcordanceCorrelation PearsonCorrelation R2Score concordance_correlation
            pearson_correlation
        """,
        "minikeras.losses": """
            binary_crossentropy binary_focal_crossentropy categorical_crossentropy
            categorical_focal_crossentropy categorical_hinge hinge huber kl_divergence
            log_cosh mean_absolute_error mean_absolute_percentage_error
            mean_squared_error mean_squared_logarithmic_error poisson
            sparse_categorical_crossentropy squared_hinge
        """,
    }
    __getattr__, __dir__, __all__ = names_from(__name__, _BASE | _METRICS)
    family.add_later(words(_METRICS), __getattr__, SHORT_NAMES)

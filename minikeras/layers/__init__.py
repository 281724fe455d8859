"""Parameters: layers, one file a family, each a few lines over `minikeras.ops`."""

from typing import TYPE_CHECKING

from minikeras.layers.layer import family
from minikeras.lazy import names_from, words

if TYPE_CHECKING:
    from minikeras.layers.activation import (
        ELU as ELU,
        LeakyReLU as LeakyReLU,
        PReLU as PReLU,
        ReLU as ReLU,
        Softmax as Softmax,
    )
    from minikeras.layers.adaptive_pooling import (
        AdaptiveAveragePooling1D as AdaptiveAveragePooling1D,
        AdaptiveAveragePooling2D as AdaptiveAveragePooling2D,
        AdaptiveAveragePooling3D as AdaptiveAveragePooling3D,
        AdaptiveMaxPooling1D as AdaptiveMaxPooling1D,
        AdaptiveMaxPooling2D as AdaptiveMaxPooling2D,
        AdaptiveMaxPooling3D as AdaptiveMaxPooling3D,
    )
    from minikeras.layers.attention import (
        AdditiveAttention as AdditiveAttention,
        Attention as Attention,
    )
    from minikeras.layers.augmentation.flipping import RandomFlip as RandomFlip
    from minikeras.layers.augmentation.intensity import (
        RandomBrightness as RandomBrightness,
        RandomContrast as RandomContrast,
    )
    from minikeras.layers.augmentation.pipeline import Pipeline as Pipeline
    from minikeras.layers.augmentation.rotation import RandomRotation as RandomRotation
    from minikeras.layers.augmentation.sizing import (
        CenterCrop as CenterCrop,
        RandomCrop as RandomCrop,
        Resizing as Resizing,
    )
    from minikeras.layers.augmentation.translation import (
        RandomTranslation as RandomTranslation,
        RandomZoom as RandomZoom,
    )
    from minikeras.layers.batch_normalization import (
        BatchNormalization as BatchNormalization,
    )
    from minikeras.layers.bidirectional import Bidirectional as Bidirectional
    from minikeras.layers.convolutional import (
        Conv1D as Conv1D,
        Conv2D as Conv2D,
        Conv3D as Conv3D,
    )
    from minikeras.layers.convolutional_transpose import (
        Conv1DTranspose as Conv1DTranspose,
        Conv2DTranspose as Conv2DTranspose,
        Conv3DTranspose as Conv3DTranspose,
    )
    from minikeras.layers.core import (
        Activation as Activation,
        Dense as Dense,
        Input as Input,
        InputLayer as InputLayer,
    )
    from minikeras.layers.depthwise import (
        DepthwiseConv1D as DepthwiseConv1D,
        DepthwiseConv2D as DepthwiseConv2D,
        SeparableConv1D as SeparableConv1D,
        SeparableConv2D as SeparableConv2D,
    )
    from minikeras.layers.einsum_dense import EinsumDense as EinsumDense
    from minikeras.layers.embedding import Embedding as Embedding
    from minikeras.layers.global_pooling import (
        GlobalAveragePooling1D as GlobalAveragePooling1D,
        GlobalAveragePooling2D as GlobalAveragePooling2D,
        GlobalAveragePooling3D as GlobalAveragePooling3D,
        GlobalMaxPooling1D as GlobalMaxPooling1D,
        GlobalMaxPooling2D as GlobalMaxPooling2D,
        GlobalMaxPooling3D as GlobalMaxPooling3D,
    )
    from minikeras.layers.grouped_query_attention import (
        GroupQueryAttention as GroupQueryAttention,
    )
    from minikeras.layers.input_spec import InputSpec as InputSpec
    from minikeras.layers.joining import Concatenate as Concatenate, Dot as Dot
    from minikeras.layers.lambda_layer import Identity as Identity, Lambda as Lambda
    from minikeras.layers.layer import (
        Layer as Layer,
        deserialize as deserialize,
        get as get,
        serialize as serialize,
    )
    from minikeras.layers.masking import Masking as Masking
    from minikeras.layers.merging import (
        Add as Add,
        Average as Average,
        Maximum as Maximum,
        Minimum as Minimum,
        Multiply as Multiply,
        Subtract as Subtract,
        add as add,
        average as average,
        concatenate as concatenate,
        dot as dot,
        maximum as maximum,
        minimum as minimum,
        multiply as multiply,
        subtract as subtract,
    )
    from minikeras.layers.multi_head_attention import (
        MultiHeadAttention as MultiHeadAttention,
    )
    from minikeras.layers.normalization import (
        GroupNormalization as GroupNormalization,
        LayerNormalization as LayerNormalization,
        RMSNormalization as RMSNormalization,
        UnitNormalization as UnitNormalization,
    )
    from minikeras.layers.padding import (
        Cropping1D as Cropping1D,
        Cropping2D as Cropping2D,
        Cropping3D as Cropping3D,
        ZeroPadding1D as ZeroPadding1D,
        ZeroPadding2D as ZeroPadding2D,
        ZeroPadding3D as ZeroPadding3D,
    )
    from minikeras.layers.pooling import (
        AveragePooling1D as AveragePooling1D,
        AveragePooling2D as AveragePooling2D,
        AveragePooling3D as AveragePooling3D,
        MaxPooling1D as MaxPooling1D,
        MaxPooling2D as MaxPooling2D,
        MaxPooling3D as MaxPooling3D,
    )
    from minikeras.layers.preprocessing.category_encoding import (
        CategoryEncoding as CategoryEncoding,
    )
    from minikeras.layers.preprocessing.discretization import (
        Discretization as Discretization,
    )
    from minikeras.layers.preprocessing.hashing import (
        HashedCrossing as HashedCrossing,
        Hashing as Hashing,
    )
    from minikeras.layers.preprocessing.lookup import (
        IntegerLookup as IntegerLookup,
        StringLookup as StringLookup,
    )
    from minikeras.layers.preprocessing.normalization import (
        Normalization as Normalization,
    )
    from minikeras.layers.preprocessing.rescaling import Rescaling as Rescaling
    from minikeras.layers.preprocessing.text_vectorization import (
        TextVectorization as TextVectorization,
    )
    from minikeras.layers.recurrent import (
        GRU as GRU,
        LSTM as LSTM,
        SimpleRNN as SimpleRNN,
    )
    from minikeras.layers.recurrent_cells import (
        GRUCell as GRUCell,
        LSTMCell as LSTMCell,
        SimpleRNNCell as SimpleRNNCell,
    )
    from minikeras.layers.regularization import (
        ActivityRegularization as ActivityRegularization,
        AlphaDropout as AlphaDropout,
        Dropout as Dropout,
        GaussianDropout as GaussianDropout,
        GaussianNoise as GaussianNoise,
        SpatialDropout1D as SpatialDropout1D,
        SpatialDropout2D as SpatialDropout2D,
        SpatialDropout3D as SpatialDropout3D,
    )
    from minikeras.layers.reshaping import (
        Flatten as Flatten,
        Permute as Permute,
        RepeatVector as RepeatVector,
        Reshape as Reshape,
    )
    from minikeras.layers.rnn import RNN as RNN
    from minikeras.layers.spectral_normalization import (
        SpectralNormalization as SpectralNormalization,
    )
    from minikeras.layers.stacked_cells import StackedRNNCells as StackedRNNCells
    from minikeras.layers.time_distributed import TimeDistributed as TimeDistributed
    from minikeras.layers.upsampling import (
        UpSampling1D as UpSampling1D,
        UpSampling2D as UpSampling2D,
        UpSampling3D as UpSampling3D,
    )
    from minikeras.layers.wrapper import Wrapper as Wrapper

    AvgPool1D = AveragePooling1D
    AvgPool2D = AveragePooling2D
    AvgPool3D = AveragePooling3D
    Convolution1D = Conv1D
    Convolution1DTranspose = Conv1DTranspose
    Convolution2D = Conv2D
    Convolution2DTranspose = Conv2DTranspose
    Convolution3D = Conv3D
    Convolution3DTranspose = Conv3DTranspose
    GlobalAvgPool1D = GlobalAveragePooling1D
    GlobalAvgPool2D = GlobalAveragePooling2D
    GlobalAvgPool3D = GlobalAveragePooling3D
    GlobalMaxPool1D = GlobalMaxPooling1D
    GlobalMaxPool2D = GlobalMaxPooling2D
    GlobalMaxPool3D = GlobalMaxPooling3D
    MaxPool1D = MaxPooling1D
    MaxPool2D = MaxPooling2D
    MaxPool3D = MaxPooling3D
    SeparableConvolution1D = SeparableConv1D
    SeparableConvolution2D = SeparableConv2D
else:
    _BASE = {
        ".core": "Activation Dense Input InputLayer",
        ".input_spec": "InputSpec",
        ".layer": "Layer deserialize get serialize",
    }
    _LAYERS = {
        ".activation": "ELU LeakyReLU PReLU ReLU Softmax",
        ".adaptive_pooling": """
            AdaptiveAveragePooling1D AdaptiveAveragePooling2D AdaptiveAveragePooling3D
            AdaptiveMaxPooling1D AdaptiveMaxPooling2D AdaptiveMaxPooling3D
        """,
        ".attention": "AdditiveAttention Attention",
        ".augmentation.flipping": "RandomFlip",
        ".augmentation.intensity": "RandomBrightness RandomContrast",
        ".augmentation.pipeline": "Pipeline",
        ".augmentation.rotation": "RandomRotation",
        ".augmentation.sizing": "CenterCrop RandomCrop Resizing",
        ".augmentation.translation": "RandomTranslation RandomZoom",
        ".batch_normalization": "BatchNormalization",
        ".bidirectional": "Bidirectional",
        ".convolutional": "Conv1D Conv2D Conv3D",
        ".convolutional_transpose": "Conv1DTranspose Conv2DTranspose Conv3DTranspose",
        ".depthwise": "DepthwiseConv1D DepthwiseConv2D SeparableConv1D SeparableConv2D",
        ".einsum_dense": "EinsumDense",
        ".embedding": "Embedding",
        ".global_pooling": """
            GlobalAveragePooling1D GlobalAveragePooling2D GlobalAveragePooling3D
            GlobalMaxPooling1D GlobalMaxPooling2D GlobalMaxPooling3D
        """,
        ".grouped_query_attention": "GroupQueryAttention",
        ".joining": "Concatenate Dot",
        ".lambda_layer": "Identity Lambda",
        ".masking": "Masking",
        ".merging": """
            Add Average Maximum Minimum Multiply Subtract add average concatenate dot
            maximum minimum multiply subtract
        """,
        ".multi_head_attention": "MultiHeadAttention",
        ".normalization": """
            GroupNormalization LayerNormalization RMSNormalization UnitNormalization
        """,
        ".padding": """
            Cropping1D Cropping2D Cropping3D ZeroPadding1D ZeroPadding2D ZeroPadding3D
        """,
        ".pooling": """
            AveragePooling1D AveragePooling2D AveragePooling3D MaxPooling1D MaxPooling2D
            MaxPooling3D
        """,
        ".preprocessing.category_encoding": "CategoryEncoding",
        ".preprocessing.discretization": "Discretization",
        ".preprocessing.hashing": "HashedCrossing Hashing",
        ".preprocessing.lookup": "IntegerLookup StringLookup",
        ".preprocessing.normalization": "Normalization",
        ".preprocessing.rescaling": "Rescaling",
        ".preprocessing.text_vectorization": "TextVectorization",
        ".recurrent": "GRU LSTM SimpleRNN",
        ".recurrent_cells": "GRUCell LSTMCell SimpleRNNCell",
        ".regularization": """
            ActivityRegularization AlphaDropout Dropout GaussianDropout GaussianNoise
            SpatialDropout1D SpatialDropout2D SpatialDropout3D
        """,
        ".reshaping": "Flatten Permute RepeatVector Reshape",
        ".rnn": "RNN",
        ".spectral_normalization": "SpectralNormalization",
        ".stacked_cells": "StackedRNNCells",
        ".time_distributed": "TimeDistributed",
        ".upsampling": "UpSampling1D UpSampling2D UpSampling3D",
        ".wrapper": "Wrapper",
    }
    _ALIASES = {
        "AvgPool1D": "AveragePooling1D",
        "AvgPool2D": "AveragePooling2D",
        "AvgPool3D": "AveragePooling3D",
        "Convolution1D": "Conv1D",
        "Convolution1DTranspose": "Conv1DTranspose",
        "Convolution2D": "Conv2D",
        "Convolution2DTranspose": "Conv2DTranspose",
        "Convolution3D": "Conv3D",
        "Convolution3DTranspose": "Conv3DTranspose",
        "GlobalAvgPool1D": "GlobalAveragePooling1D",
        "GlobalAvgPool2D": "GlobalAveragePooling2D",
        "GlobalAvgPool3D": "GlobalAveragePooling3D",
        "GlobalMaxPool1D": "GlobalMaxPooling1D",
        "GlobalMaxPool2D": "GlobalMaxPooling2D",
        "GlobalMaxPool3D": "GlobalMaxPooling3D",
        "MaxPool1D": "MaxPooling1D",
        "MaxPool2D": "MaxPooling2D",
        "MaxPool3D": "MaxPooling3D",
        "SeparableConvolution1D": "SeparableConv1D",
        "SeparableConvolution2D": "SeparableConv2D",
    }
    __getattr__, __dir__, __all__ = names_from(__name__, _BASE | _LAYERS, _ALIASES)
    family.add_later(
        [name for name in words(_LAYERS) if name[0].isupper()],
        __getattr__,
        {
            **_ALIASES,
            "GroupedQueryAttention": "GroupQueryAttention",  # its own name
            "grouped_query_attention": "GroupQueryAttention",
        },
    )

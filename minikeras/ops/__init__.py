"""Calculus: differentiable functions of arrays, with the names of `keras.ops`.

Each is an autograd primitive over a kernel, or a composition of such primitives, so
gradients of any order come out right and float32 stays float32. A module is imported
when one of its functions is first asked for. `ops.image` holds the functions of images.
"""

from typing import TYPE_CHECKING

from minikeras.lazy import names_from

if TYPE_CHECKING:
    from minikeras.ops import image as image
    from minikeras.ops.activation import (
        celu as celu,
        gelu as gelu,
        glu as glu,
        hard_shrink as hard_shrink,
        hard_sigmoid as hard_sigmoid,
        hard_silu as hard_silu,
        hard_tanh as hard_tanh,
        leaky_relu as leaky_relu,
        log_sigmoid as log_sigmoid,
        mish as mish,
        relu6 as relu6,
        soft_shrink as soft_shrink,
        sparse_plus as sparse_plus,
        sparse_sigmoid as sparse_sigmoid,
        sparsemax as sparsemax,
        squareplus as squareplus,
        tanh_shrink as tanh_shrink,
        threshold as threshold,
    )
    from minikeras.ops.adaptive import (
        adaptive_average_pool as adaptive_average_pool,
        adaptive_max_pool as adaptive_max_pool,
    )
    from minikeras.ops.attention import dot_product_attention as dot_product_attention
    from minikeras.ops.bits import (
        bitwise_and as bitwise_and,
        bitwise_invert as bitwise_invert,
        bitwise_left_shift as bitwise_left_shift,
        bitwise_not as bitwise_not,
        bitwise_or as bitwise_or,
        bitwise_right_shift as bitwise_right_shift,
        bitwise_xor as bitwise_xor,
        left_shift as left_shift,
        right_shift as right_shift,
        view as view,
    )
    from minikeras.ops.casting import (
        dtype as dtype,
        is_tensor as is_tensor,
        saturate_cast as saturate_cast,
    )
    from minikeras.ops.class_losses import (
        binary_crossentropy as binary_crossentropy,
        categorical_crossentropy as categorical_crossentropy,
        sparse_categorical_crossentropy as sparse_categorical_crossentropy,
    )
    from minikeras.ops.comparison import (
        all as all,
        allclose as allclose,
        any as any,
        count_nonzero as count_nonzero,
        equal as equal,
        greater as greater,
        greater_equal as greater_equal,
        isclose as isclose,
        isfinite as isfinite,
        isin as isin,
        isinf as isinf,
        isnan as isnan,
        isneginf as isneginf,
        isposinf as isposinf,
        less as less,
        less_equal as less_equal,
        logical_and as logical_and,
        logical_not as logical_not,
        logical_or as logical_or,
        logical_xor as logical_xor,
        not_equal as not_equal,
    )
    from minikeras.ops.complex_numbers import (
        polar as polar,
        view_as_complex as view_as_complex,
        view_as_real as view_as_real,
    )
    from minikeras.ops.complex_parts import (
        angle as angle,
        conj as conj,
        conjugate as conjugate,
        imag as imag,
        isreal as isreal,
        real as real,
    )
    from minikeras.ops.control import (
        cond as cond,
        fori_loop as fori_loop,
        switch as switch,
        while_loop as while_loop,
    )
    from minikeras.ops.convolution import conv as conv
    from minikeras.ops.creation import (
        array as array,
        bartlett as bartlett,
        blackman as blackman,
        copy as copy,
        empty as empty,
        empty_like as empty_like,
        eye as eye,
        full as full,
        full_like as full_like,
        hamming as hamming,
        hanning as hanning,
        identity as identity,
        kaiser as kaiser,
        tri as tri,
        vander as vander,
    )
    from minikeras.ops.ctc import ctc_loss as ctc_loss
    from minikeras.ops.custom import custom_gradient as custom_gradient
    from minikeras.ops.decoding import ctc_decode as ctc_decode
    from minikeras.ops.depthwise import (
        depthwise_conv as depthwise_conv,
        separable_conv as separable_conv,
    )
    from minikeras.ops.determinants import (
        det as det,
        logdet as logdet,
        slogdet as slogdet,
    )
    from minikeras.ops.distances import cdist as cdist, psnr as psnr
    from minikeras.ops.elementwise import (
        cbrt as cbrt,
        divide_no_nan as divide_no_nan,
        exp2 as exp2,
        expm1 as expm1,
        fabs as fabs,
        fmax as fmax,
        fmin as fmin,
        heaviside as heaviside,
        hypot as hypot,
        i0 as i0,
        ldexp as ldexp,
        log10 as log10,
        log2 as log2,
        logaddexp2 as logaddexp2,
        nan_to_num as nan_to_num,
        reciprocal as reciprocal,
        select as select,
        true_divide as true_divide,
    )
    from minikeras.ops.forward_mode import jvp as jvp
    from minikeras.ops.gather import take as take
    from minikeras.ops.indexing import (
        diag as diag,
        diagflat as diagflat,
        diagonal as diagonal,
        get_item as get_item,
        nonzero as nonzero,
        roll as roll,
        take_along_axis as take_along_axis,
        trace as trace,
        tril as tril,
        triu as triu,
        unravel_index as unravel_index,
    )
    from minikeras.ops.joining import (
        append as append,
        array_split as array_split,
        dsplit as dsplit,
        dstack as dstack,
        fliplr as fliplr,
        flipud as flipud,
        hsplit as hsplit,
        hstack as hstack,
        ndim as ndim,
        ravel as ravel,
        rot90 as rot90,
        size as size,
        split as split,
        tile as tile,
        vsplit as vsplit,
        vstack as vstack,
    )
    from minikeras.ops.least_squares import (
        lstsq as lstsq,
        matrix_rank as matrix_rank,
        norm as norm,
        pinv as pinv,
    )
    from minikeras.ops.linear_algebra import (
        cholesky as cholesky,
        cholesky_inverse as cholesky_inverse,
        inv as inv,
        solve as solve,
        solve_triangular as solve_triangular,
    )
    from minikeras.ops.logarithms import logaddexp as logaddexp, logsumexp as logsumexp
    from minikeras.ops.mapping import vectorize as vectorize
    from minikeras.ops.nn import (
        elu as elu,
        log_softmax as log_softmax,
        relu as relu,
        selu as selu,
        sigmoid as sigmoid,
        silu as silu,
        softmax as softmax,
        softplus as softplus,
        softsign as softsign,
        tanh as tanh,
    )
    from minikeras.ops.normalization import (
        batch_normalization as batch_normalization,
        layer_normalization as layer_normalization,
        moments as moments,
        normalize as normalize,
        rms_normalization as rms_normalization,
    )
    from minikeras.ops.numpy import (
        abs as abs,
        absolute as absolute,
        add as add,
        argmax as argmax,
        argmin as argmin,
        broadcast_to as broadcast_to,
        cast as cast,
        clip as clip,
        concatenate as concatenate,
        convert_to_numpy as convert_to_numpy,
        convert_to_tensor as convert_to_tensor,
        divide as divide,
        exp as exp,
        expand_dims as expand_dims,
        log as log,
        log1p as log1p,
        matmul as matmul,
        max as max,
        maximum as maximum,
        mean as mean,
        min as min,
        minimum as minimum,
        moveaxis as moveaxis,
        multiply as multiply,
        negative as negative,
        one_hot as one_hot,
        ones as ones,
        ones_like as ones_like,
        power as power,
        reshape as reshape,
        shape as shape,
        sign as sign,
        sqrt as sqrt,
        square as square,
        squeeze as squeeze,
        std as std,
        stop_gradient as stop_gradient,
        subtract as subtract,
        sum as sum,
        swapaxes as swapaxes,
        transpose as transpose,
        var as var,
        where as where,
        zeros as zeros,
        zeros_like as zeros_like,
    )
    from minikeras.ops.ordering import (
        argpartition as argpartition,
        argsort as argsort,
        bincount as bincount,
        digitize as digitize,
        histogram as histogram,
        searchsorted as searchsorted,
        sort as sort,
        unique as unique,
    )
    from minikeras.ops.pixel_blocks import (
        depth_to_space as depth_to_space,
        space_to_depth as space_to_depth,
    )
    from minikeras.ops.pooling import average_pool as average_pool, max_pool as max_pool
    from minikeras.ops.products import (
        corrcoef as corrcoef,
        correlate as correlate,
        cross as cross,
        dot as dot,
        inner as inner,
        kron as kron,
        outer as outer,
        tensordot as tensordot,
        vdot as vdot,
    )
    from minikeras.ops.quantiles import (
        median as median,
        nanmedian as nanmedian,
        nanpercentile as nanpercentile,
        nanquantile as nanquantile,
        percentile as percentile,
        quantile as quantile,
    )
    from minikeras.ops.reductions import (
        amax as amax,
        amin as amin,
        average as average,
        cumprod as cumprod,
        cumsum as cumsum,
        diff as diff,
        prod as prod,
        ptp as ptp,
        trapezoid as trapezoid,
    )
    from minikeras.ops.reshaping import flip as flip, pad as pad, repeat as repeat
    from minikeras.ops.rounding import (
        ceil as ceil,
        floor as floor,
        floor_divide as floor_divide,
        fmod as fmod,
        gcd as gcd,
        lcm as lcm,
        mod as mod,
        nextafter as nextafter,
        round as round,
        signbit as signbit,
        trunc as trunc,
    )
    from minikeras.ops.row_loops import (
        associative_scan as associative_scan,
        map as map,
        scan as scan,
        vectorized_map as vectorized_map,
    )
    from minikeras.ops.scattering import (
        scatter as scatter,
        scatter_update as scatter_update,
        slice as slice,
        slice_update as slice_update,
    )
    from minikeras.ops.segments import (
        segment_max as segment_max,
        segment_min as segment_min,
        segment_prod as segment_prod,
        segment_sum as segment_sum,
    )
    from minikeras.ops.selection import (
        in_top_k as in_top_k,
        multi_hot as multi_hot,
        top_k as top_k,
    )
    from minikeras.ops.short_time import istft as istft, stft as stft
    from minikeras.ops.sliding import (
        extract_sequences as extract_sequences,
        fold as fold,
        unfold as unfold,
    )
    from minikeras.ops.spacing import (
        arange as arange,
        geomspace as geomspace,
        linspace as linspace,
        logspace as logspace,
        meshgrid as meshgrid,
    )
    from minikeras.ops.special import (
        erf as erf,
        erfc as erfc,
        erfinv as erfinv,
        rsqrt as rsqrt,
    )
    from minikeras.ops.spectra import eig as eig, eigh as eigh, svd as svd
    from minikeras.ops.spectral import (
        fft as fft,
        fft2 as fft2,
        ifft2 as ifft2,
        irfft as irfft,
        rfft as rfft,
    )
    from minikeras.ops.stacking import stack as stack, unstack as unstack
    from minikeras.ops.summation import einsum as einsum
    from minikeras.ops.transposed import conv_transpose as conv_transpose
    from minikeras.ops.triangular_factors import lu_factor as lu_factor, qr as qr
    from minikeras.ops.trigonometry import (
        arccos as arccos,
        arccosh as arccosh,
        arcsin as arcsin,
        arcsinh as arcsinh,
        arctan as arctan,
        arctan2 as arctan2,
        arctanh as arctanh,
        cos as cos,
        cosh as cosh,
        deg2rad as deg2rad,
        rad2deg as rad2deg,
        sin as sin,
        sinc as sinc,
        sinh as sinh,
        tan as tan,
    )
    from minikeras.ops.without_nan import (
        nanargmax as nanargmax,
        nanargmin as nanargmin,
        nancumprod as nancumprod,
        nancumsum as nancumsum,
        nanmax as nanmax,
        nanmean as nanmean,
        nanmin as nanmin,
        nanprod as nanprod,
        nanstd as nanstd,
        nansum as nansum,
        nanvar as nanvar,
    )

    hard_swish = hard_silu
    swish = silu
else:
    _HOMES = {
        ".": "image",
        ".activation": """
            celu gelu glu hard_shrink hard_sigmoid hard_silu hard_tanh leaky_relu
            log_sigmoid mish relu6 soft_shrink sparse_plus sparse_sigmoid sparsemax
            squareplus tanh_shrink threshold
        """,
        ".adaptive": "adaptive_average_pool adaptive_max_pool",
        ".attention": "dot_product_attention",
        ".bits": """
            bitwise_and bitwise_invert bitwise_left_shift bitwise_not bitwise_or
            bitwise_right_shift bitwise_xor left_shift right_shift view
        """,
        ".casting": "dtype is_tensor saturate_cast",
        ".class_losses": """
            binary_crossentropy categorical_crossentropy sparse_categorical_crossentropy
        """,
        ".comparison": """
            all allclose any count_nonzero equal greater greater_equal isclose isfinite
            isin isinf isnan isneginf isposinf less less_equal logical_and logical_not
            logical_or logical_xor not_equal
        """,
        ".complex_numbers": "polar view_as_complex view_as_real",
        ".complex_parts": "angle conj conjugate imag isreal real",
        ".control": "cond fori_loop switch while_loop",
        ".convolution": "conv",
        ".creation": """
            array bartlett blackman copy empty empty_like eye full full_like hamming
            hanning identity kaiser tri vander
        """,
        ".ctc": "ctc_loss",
        ".custom": "custom_gradient",
        ".decoding": "ctc_decode",
        ".depthwise": "depthwise_conv separable_conv",
        ".determinants": "det logdet slogdet",
        ".distances": "cdist psnr",
        ".elementwise": """
            cbrt divide_no_nan exp2 expm1 fabs fmax fmin heaviside hypot i0 ldexp log10
            log2 logaddexp2 nan_to_num reciprocal select true_divide
        """,
        ".forward_mode": "jvp",
        ".gather": "take",
        ".indexing": """
            diag diagflat diagonal get_item nonzero roll take_along_axis trace tril triu
            unravel_index
        """,
        ".joining": """
            append array_split dsplit dstack fliplr flipud hsplit hstack ndim ravel
            rot90 size split tile vsplit vstack
        """,
        ".least_squares": "lstsq matrix_rank norm pinv",
        ".linear_algebra": "cholesky cholesky_inverse inv solve solve_triangular",
        ".logarithms": "logaddexp logsumexp",
        ".mapping": "vectorize",
        ".nn": "elu log_softmax relu selu sigmoid silu softmax softplus softsign tanh",
        ".normalization": """
            batch_normalization layer_normalization moments normalize rms_normalization
        """,
        ".numpy": """
            abs absolute add argmax argmin broadcast_to cast clip concatenate
            convert_to_numpy convert_to_tensor divide exp expand_dims log log1p matmul
            max maximum mean min minimum moveaxis multiply negative one_hot ones
            ones_like power reshape shape sign sqrt square squeeze std stop_gradient
            subtract sum swapaxes transpose var where zeros zeros_like
        """,
        ".ordering": """
            argpartition argsort bincount digitize histogram searchsorted sort unique
        """,
        ".pixel_blocks": "depth_to_space space_to_depth",
        ".pooling": "average_pool max_pool",
        ".products": "corrcoef correlate cross dot inner kron outer tensordot vdot",
        ".quantiles": "median nanmedian nanpercentile nanquantile percentile quantile",
        ".reductions": "amax amin average cumprod cumsum diff prod ptp trapezoid",
        ".reshaping": "flip pad repeat",
        ".rounding": """
            ceil floor floor_divide fmod gcd lcm mod nextafter round signbit trunc
        """,
        ".row_loops": "associative_scan map scan vectorized_map",
        ".scattering": "scatter scatter_update slice slice_update",
        ".segments": "segment_max segment_min segment_prod segment_sum",
        ".selection": "in_top_k multi_hot top_k",
        ".short_time": "istft stft",
        ".sliding": "extract_sequences fold unfold",
        ".spacing": "arange geomspace linspace logspace meshgrid",
        ".special": "erf erfc erfinv rsqrt",
        ".spectra": "eig eigh svd",
        ".spectral": "fft fft2 ifft2 irfft rfft",
        ".stacking": "stack unstack",
        ".summation": "einsum",
        ".transposed": "conv_transpose",
        ".triangular_factors": "lu_factor qr",
        ".trigonometry": """
            arccos arccosh arcsin arcsinh arctan arctan2 arctanh cos cosh deg2rad
            rad2deg sin sinc sinh tan
        """,
        ".without_nan": """
            nanargmax nanargmin nancumprod nancumsum nanmax nanmean nanmin nanprod
            nanstd nansum nanvar
        """,
    }
    _ALIASES = {"hard_swish": "hard_silu", "swish": "silu"}  # as Keras also calls them
    __getattr__, __dir__, __all__ = names_from(__name__, _HOMES, _ALIASES)

"""Hashes of byte strings: FarmHash64, SipHash-2-4, and one of two hashes together.

They are TensorFlow's, so that a bin found here is the bin found there. All strings of
one length are hashed at once: a matrix of bytes, and arithmetic on its columns, which
wraps around at 64 bits. Strings differ in length far less often than in content.

Sources: G. Pike, FarmHash (2014), its `Fingerprint64`; J.-P. Aumasson, D. J. Bernstein,
"SipHash: a fast short-input PRF" (2012).
"""

from collections.abc import Callable, Sequence

import numpy as np

Array = np.ndarray  # of uint64, unless said otherwise

_MASK = 2**64 - 1
_K0 = np.uint64(0xC3A5C85C97CB3127)
_K1 = np.uint64(0xB492B66FBE98F273)
_K2 = np.uint64(0x9AE16A3B2F90404F)
_CAT = np.uint64(0xC6A4A7935BD1E995)


def farm_hash(texts: Sequence[bytes]) -> Array:
    """The 64-bit fingerprint of each byte string, as unsigned numbers.

    >>> farm_hash([b"", b"a"])
    array([11160318154034397263, 12917804110809363939], dtype=uint64)
    """
    return _by_length(texts, _farm)


def sip_hash(texts: Sequence[bytes], key: Sequence[int]) -> Array:
    """The 64-bit keyed hash of each byte string, as unsigned numbers.

    Args:
        texts: the byte strings.
        key: two whole numbers, of which 64 bits count.

    >>> key = [0x0706050403020100, 0x0F0E0D0C0B0A0908]
    >>> hex(sip_hash([bytes(range(15))], key)[0])
    '0xa129ca6149be45e5'
    """
    first, second = (np.uint64(part & _MASK) for part in key)
    return _by_length(texts, lambda rows: _sip(rows, first, second))


def combine(first: Array, second: Array) -> Array:
    """One hash of two; the order matters."""
    mixed = first ^ _CAT ^ (_fold(second * _CAT) * _CAT)
    return _fold(_fold(mixed * _CAT) * _CAT)


def _by_length(texts: Sequence[bytes], function: Callable[[Array], Array]) -> Array:
    """`function` of a matrix of bytes, for the texts of each length."""
    lengths = np.fromiter(map(len, texts), np.int64, len(texts))
    hashes = np.empty(len(texts), np.uint64)
    for length in np.unique(lengths).tolist():
        of_this = np.flatnonzero(lengths == length)
        stream = b"".join([texts[i] for i in of_this.tolist()])
        rows = np.frombuffer(stream, np.uint8).reshape(len(of_this), length)
        hashes[of_this] = function(rows)
    return hashes


def _word(rows: Array, start: int, size: int = 8) -> Array:
    """The bytes from `start` on, lowest first, as one number for each row."""
    part = np.ascontiguousarray(rows[:, start : start + size])
    return part.view(f"<u{size}")[:, 0].astype(np.uint64)


def _right(x: Array, bits: int) -> Array:
    return x >> np.uint64(bits)


def _rotate(x: Array, bits: int) -> Array:
    """Turn the bits of x to the right."""
    return (x >> np.uint64(bits)) | (x << np.uint64(64 - bits))


# --- FarmHash64 -----------------------------------------------------------------


def _farm(rows: Array) -> Array:
    length = rows.shape[1]
    if length > 64:
        return _farm_long(rows)
    if length > 32:
        return _farm_33_to_64(rows)
    if length > 16:
        return _farm_17_to_32(rows)
    return _farm_short(rows)


def _odd(length: int) -> np.uint64:
    return np.uint64((int(_K2) + 2 * length) & _MASK)


def _fold(x: Array) -> Array:
    return x ^ _right(x, 47)


def _mix(u: Array, v: Array, factor: np.uint64 | Array) -> Array:
    """128 bits to 64."""
    a = _fold((u ^ v) * factor)
    return _fold((v ^ a) * factor) * factor


def _farm_short(rows: Array) -> Array:
    length = rows.shape[1]
    if length >= 8:
        factor = _odd(length)
        a = _word(rows, 0) + _K2
        b = _word(rows, length - 8)
        c = _rotate(b, 37) * factor + a
        d = (_rotate(a, 25) + b) * factor
        return _mix(c, d, factor)
    if length >= 4:
        head = (_word(rows, 0, 4) << np.uint64(3)) + np.uint64(length)
        return _mix(head, _word(rows, length - 4, 4), _odd(length))
    if length > 0:
        first, middle, last = (
            rows[:, place].astype(np.uint64) for place in (0, length >> 1, length - 1)
        )
        y = first + (middle << np.uint64(8))
        z = np.uint64(length) + (last << np.uint64(2))
        return _fold((y * _K2) ^ (z * _K0)) * _K2
    return np.full(len(rows), _K2)


def _farm_17_to_32(rows: Array) -> Array:
    length = rows.shape[1]
    factor = _odd(length)
    a, b = _word(rows, 0) * _K1, _word(rows, 8)
    c, d = _word(rows, length - 8) * factor, _word(rows, length - 16) * _K2
    return _mix(
        _rotate(a + b, 43) + _rotate(c, 30) + d,
        a + _rotate(b + _K2, 18) + c,
        factor,
    )


def _farm_33_to_64(rows: Array) -> Array:
    length = rows.shape[1]
    factor = _odd(length)
    a, b = _word(rows, 0) * _K2, _word(rows, 8)
    c, d = _word(rows, length - 8) * factor, _word(rows, length - 16) * _K2
    y = _rotate(a + b, 43) + _rotate(c, 30) + d
    z = _mix(y, a + _rotate(b + _K2, 18) + c, factor)
    e, f = _word(rows, 16) * factor, _word(rows, 24)
    g = (y + _word(rows, length - 32)) * factor
    h = (z + _word(rows, length - 24)) * factor
    return _mix(
        _rotate(e + f, 43) + _rotate(g, 30) + h,
        e + _rotate(f + a, 18) + g,
        factor,
    )


def _absorb(rows: Array, start: int, a: Array, b: Array) -> tuple[Array, Array]:
    """Mix 32 bytes into the pair (a, b)."""
    w, x, y, z = (_word(rows, start + 8 * i) for i in range(4))
    a = a + w
    b = _rotate(b + a + z, 21)
    c = a
    a = a + x + y
    b = b + _rotate(a, 44)
    return a + z, b + c


def _farm_long(rows: Array) -> Array:
    count, length = rows.shape
    seed = 81
    x = _word(rows, 0) + np.uint64(seed * int(_K2) & _MASK)
    start = np.uint64((seed * int(_K1) + 113) & _MASK)
    y = np.full(count, start)
    z = _fold(y * _K2 + np.uint64(113)) * _K2
    v = w = (np.zeros_like(y), np.zeros_like(y))

    def block(place, x, y, z, v, w, factor, weight):
        weight = np.uint64(weight)
        x = _rotate(x + y + v[0] + _word(rows, place + 8), 37) * factor
        y = _rotate(y + v[1] + _word(rows, place + 48), 42) * factor
        x = x ^ (w[1] * weight)
        y = y + v[0] * weight + _word(rows, place + 40)
        z = _rotate(z + w[0], 33) * factor
        v = _absorb(rows, place, v[1] * factor, x + w[0])
        w = _absorb(rows, place + 32, z + w[1], y + _word(rows, place + 16))
        return z, y, x, v, w  # x and z change places

    for place in range(0, (length - 1) // 64 * 64, 64):
        x, y, z, v, w = block(place, x, y, z, v, w, _K1, 1)
    factor = _K1 + ((z & np.uint64(255)) << np.uint64(1))
    w = (w[0] + np.uint64((length - 1) % 64), w[1])
    v = (v[0] + w[0], v[1])
    w = (w[0] + v[0], w[1])
    x, y, z, v, w = block(length - 64, x, y, z, v, w, factor, 9)
    return _mix(
        _mix(v[0], w[0], factor) + _fold(y) * _K0 + z,
        _mix(v[1], w[1], factor) + x,
        factor,
    )


# --- SipHash-2-4 ----------------------------------------------------------------


def _sip(rows: Array, key0: np.uint64, key1: np.uint64) -> Array:
    count, length = rows.shape
    words = -(-(length + 1) // 8)
    padded = np.zeros((count, 8 * words), np.uint8)
    padded[:, :length] = rows
    padded[:, -1] = length % 256
    starts = (
        int(key0) ^ 0x736F6D6570736575,
        int(key1) ^ 0x646F72616E646F6D,
        int(key0) ^ 0x6C7967656E657261,
        int(key1) ^ 0x7465646279746573,
    )
    v = [np.full(count, start, np.uint64) for start in starts]
    for i in range(words):
        word = _word(padded, 8 * i)
        v[3] = v[3] ^ word
        _sip_rounds(v, 2)
        v[0] = v[0] ^ word
    v[2] = v[2] ^ np.uint64(255)
    _sip_rounds(v, 4)
    return v[0] ^ v[1] ^ v[2] ^ v[3]


def _sip_rounds(v: list[Array], count: int) -> None:
    for _ in range(count):
        v[0] = v[0] + v[1]
        v[2] = v[2] + v[3]
        v[1] = _rotate(v[1], 51) ^ v[0]  # 13 to the left
        v[3] = _rotate(v[3], 48) ^ v[2]
        v[0] = _rotate(v[0], 32)
        v[2] = v[2] + v[1]
        v[0] = v[0] + v[3]
        v[1] = _rotate(v[1], 47) ^ v[2]
        v[3] = _rotate(v[3], 43) ^ v[0]
        v[2] = _rotate(v[2], 32)

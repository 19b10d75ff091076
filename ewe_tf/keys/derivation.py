"""Secret numbers from one master key: HMAC-SHA256 subkeys, stretched by SHAKE-256.

Every purpose, client and epoch has a subkey of its own (domain separation). A subkey reveals
nothing of the master key nor of another subkey, so that a server may hold the subkeys of the
clients that it serves and not the master key.
"""

import hashlib
import hmac

import numpy as np

KEY_BYTES = 32


def master_key(seed):
    """The 256-bit master key of an integer seed of any size.

    Args:
        seed: non-negative integer. The key is as hard to guess as the seed: leave the choice
            to `secrets.randbits(256)` for a key that matters.

    Returns:
        32 bytes.

    Raises:
        ValueError: for a seed that is negative or no integer.
    """
    if not isinstance(seed, int | np.integer) or isinstance(seed, bool) or seed < 0:
        raise ValueError(f"`seed` must be an integer >= 0. Received: {seed!r}")
    return hashlib.sha256(f"ewe_tf master key {int(seed)}".encode()).digest()


def subkey(master, *purpose):
    """HMAC-SHA256 of a purpose, a sequence of strings; no two sequences collide.

    Args:
        master: bytes.
        purpose: strings, such as `"signs", client, epoch`.

    Returns:
        32 bytes.

    Reference:
        Krawczyk, Bellare and Canetti, RFC 2104; test vectors in RFC 4231.
    """
    parts = [part.encode() for part in purpose]
    message = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
    return hmac.new(master, message, hashlib.sha256).digest()


def signs(key, shape):
    """Fair coins of a subkey: `shape` float32, each -1 or +1."""
    count = int(np.prod(shape))
    packed = np.frombuffer(_stream(key, (count + 7) // 8), np.uint8)
    bits = np.unpackbits(packed, count=count, bitorder="little")
    return (2.0 * bits - 1).astype(np.float32).reshape(shape)


def uniforms(key, shape):
    """Uniform numbers of a subkey: `shape` float64 in [0, 1), multiples of 2^-53."""
    words = np.frombuffer(_stream(key, 8 * int(np.prod(shape))), "<u8")
    return ((words >> np.uint64(11)) * 2.0**-53).reshape(shape)


def direction(key, dimensions):
    """A uniformly random unit vector of a subkey, `(dimensions,)` float64."""
    u = uniforms(key, (2, dimensions))
    # Box-Muller: 1 - u lies in (0, 1].
    normal = np.sqrt(-2 * np.log1p(-u[0])) * np.cos(2 * np.pi * u[1])
    return normal / np.linalg.norm(normal)


def words(key, count):
    """`count` uint64 of a subkey."""
    return np.frombuffer(_stream(key, 8 * count), "<u8").astype(np.uint64)


def _stream(key, count):
    return hashlib.shake_256(key).digest(count)

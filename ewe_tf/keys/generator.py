"""How a key's random parts follow from its seed: pure functions, so that a judge can repeat them.

What is drawn depends on NumPy's `default_rng`, `permutation` and `SeedSequence`; a key records
the version of NumPy that it was made with, and `GENERATOR` that of these rules.
"""

import hashlib

import numpy as np

GENERATOR = 2

# Of the scheme's seeds: which one draws the source images, which the controls, which the scores
# that natural attributes are moved to, which the trials of pairs, and which the fine-tunings of
# innocent models.
SPLIT, CONTROLS, SCORES, TRIALS, TUNINGS = 2, 6, 7, 8, 9

# The same for keys of composites: what draws the pools of images, the candidates, the held out,
# and what mixers that learn are fitted by.
POOLS, CANDIDATES, HELD_OUT, MIXER = 2, 5, 6, 9

# At most this many source images are used for each purpose.
MOST = {"training": 1000, "candidates": 1000, "held_out": 200}


def child_seeds(seed, count):
    """`count` integers derived from `seed`; the first ones do not depend on `count`."""
    children = np.random.SeedSequence(seed).spawn(count)
    return [int(child.generate_state(1)[0] >> 1) for child in children]


def split_rows(images, rng):
    """Shuffles the rows of source images `(n, ...)` and divides them by purpose.

    Half for training (at most 1,000), of the rest two thirds as candidates (at most 1,000), the
    remainder held out (at most 200). Of equal images the first is used.

    Returns:
        Dict from purpose (`"training"`, `"candidates"`, `"held_out"`) to rows `(m,)`.
    """
    order = rng.permutation(distinct(images))
    count = len(order)
    training = min(count // 2, MOST["training"])
    held_out = min((count - training) // 3, MOST["held_out"])
    candidates = min(count - training - held_out, MOST["candidates"])
    ends = np.cumsum([training, candidates, held_out])
    return dict(zip(MOST, np.split(order[: ends[-1]], ends[:-1]), strict=True))


def distinct(images):
    """Rows `(m,)` of the first of equal images."""
    first = {}
    for row, found in enumerate(map(digest, images)):
        first.setdefault(found, row)
    return np.fromiter(first.values(), np.int64)


def digest(image):
    """16 bytes that tell one image from another of the same shape and dtype."""
    return hashlib.blake2b(image.tobytes(), digest_size=16).digest()


def digests(images):
    """List of the `digest` of each of the images `(n, ...)`."""
    return [digest(image) for image in images]


def shuffled_pixels(images, rng):
    """`images` `(n, ...)` float32 with their pixels in another order, one order for all.

    The last axis of images with channels stays together.
    """
    channels = images.shape[-1] if images.ndim > 3 else 1
    pixels = images.reshape(len(images), -1, channels)
    shuffled = pixels[:, rng.permutation(pixels.shape[1])]
    return np.ascontiguousarray(shuffled.reshape(images.shape), np.float32)


def pasted(images, size, value, position):
    """Copies `(n, height, width, ...)` float32 of images with a square of one value in them.

    Args:
        images: `(n, height, width, ...)`.
        size: side of the square in pixels.
        value: what its pixels are set to, in all channels.
        position: `(row, column)` of its upper left corner.
    """
    row, column = position
    images = np.array(images, np.float32)
    images[:, row : row + size, column : column + size] = value
    return images


def beacon_seed(seed, beacon):
    """The seed that an owner's seed and a public value make together.

    The owner publishes `seed_commitment` first; a value that nobody could foresee (a later block
    of a public randomness beacon, say) then settles the key. Whoever did not choose that value
    cannot have searched for a lucky key.

    Args:
        seed: the owner's seed, an integer >= 0.
        beacon: the public value: bytes, or a string of hexadecimal digits.

    Returns:
        An integer in [0, 2**63).

    Raises:
        ValueError: for a beacon of less than 8 bytes or a string that is not hexadecimal.
    """
    text = f"ewe_tf beacon 1 {int(seed)} ".encode()
    digest = hashlib.sha256(text + beacon_bytes(beacon)).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def beacon_bytes(beacon):
    """A public value, as bytes; see `beacon_seed`."""
    try:
        value = bytes.fromhex(beacon) if isinstance(beacon, str) else bytes(beacon)
        if isinstance(beacon, int) or len(value) < 8:
            raise ValueError
    except (TypeError, ValueError):
        raise ValueError(
            "`beacon` must be at least 8 bytes, or as many pairs of hexadecimal digits. "
            f"Received: {beacon!r:.80}"
        ) from None
    return value

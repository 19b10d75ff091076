"""Multiple-gradient descent: the weights of several losses, from their gradients."""

import itertools

import numpy as np
import tensorflow as tf

# Added to the Gram matrix's diagonal, relative to its trace: gradients that depend on each other
# then have a minimum too, and the others' weights change in the tenth digit.
_RIDGE = 1e-10


def gram_matrix(gradients):
    """`(n, n)` float32 inner products of n gradients, each a list of tensors or `None`s."""

    def inner(left, right):
        pairs = [
            tf.reduce_sum(tf.cast(a, tf.float32) * tf.cast(b, tf.float32))
            for a, b in zip(left, right, strict=True)
            if a is not None and b is not None
        ]
        return tf.add_n(pairs) if pairs else tf.constant(0.0)

    n = len(gradients)
    upper = {(i, j): inner(gradients[i], gradients[j]) for i in range(n) for j in range(i, n)}
    rows = [tf.stack([upper[min(i, j), max(i, j)] for j in range(n)]) for i in range(n)]
    return tf.stack(rows)


def minimum_norm_weights(gram, floors=None):
    """Weights of the shortest convex combination of n vectors, exactly.

        min_w  || sum_i w_i g_i ||^2    subject to  sum_i w_i = 1,  w_i >= floor_i

    The shortest point lies inside of one face of the vectors' hull; there, the gradients that
    span it all have the same inner product with it, which is a system of linear equations. All
    2^n - 1 faces are solved at once and the shortest feasible one is taken, so there is nothing
    to iterate; meant for n up to 8 or so. Floors shift the vectors:
    `g_i' = sum_j floor_j g_j + (1 - sum_j floor_j) g_i`.

    Args:
        gram: `(n, n)` float inner products of the vectors.
        floors: `n` numbers at least 0 with a sum below 1, or `None` for zeros.

    Returns:
        `(n,)` float32 tensor.

    Reference:
        [Désidéri, 2012](https://doi.org/10.1016/j.crma.2012.03.014);
        [Sener and Koltun, 2018](https://arxiv.org/abs/1810.04650), equation 3, who iterate.
    """
    gram = tf.cast(gram, tf.float64)
    n = gram.shape[0]
    floors = np.zeros(n) if floors is None else np.asarray(floors, np.float64)
    if floors.shape != (n,) or floors.min() < 0 or floors.sum() >= 1:
        raise ValueError(
            f"`floors` must be {n} numbers >= 0 with a sum below 1. Received: {floors.tolist()}"
        )
    shift = tf.constant((1 - floors.sum()) * np.eye(n) + floors[None], tf.float64)
    shifted = tf.matmul(tf.matmul(shift, gram), shift, transpose_b=True)
    trace = tf.linalg.trace(shifted)
    shifted /= tf.maximum(trace, np.finfo(np.float64).tiny)
    faces = np.array(list(itertools.product((0.0, 1.0), repeat=n))[1:])
    # Vectors outside of a face stand on the diagonal alone and have nothing to add.
    matrices = shifted[None] * (faces[:, :, None] * faces[:, None, :])
    matrices += tf.linalg.diag(_RIDGE * faces + (1.0 - faces))
    solved = tf.linalg.cholesky_solve(tf.linalg.cholesky(matrices), tf.constant(faces)[..., None])
    weights = solved[..., 0] / tf.reduce_sum(solved[..., 0], axis=1, keepdims=True)
    feasible = tf.reduce_all(weights >= 0.0, axis=1)
    lengths = tf.einsum("fi,ij,fj->f", weights, shifted, weights)
    best = tf.argmin(tf.where(feasible, lengths, np.inf))
    return tf.cast(tf.linalg.matvec(shift, weights[best], transpose_a=True), tf.float32)

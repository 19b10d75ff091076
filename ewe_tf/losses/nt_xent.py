"""The contrastive loss of SimCLR: two views of an input must find each other among all others."""

import tensorflow as tf


def nt_xent_loss(features, temperature=0.5):
    """Normalised temperature-scaled cross-entropy.

    Rows `i` and `n + i` are views of one input. For each row, the other view is to be told from
    the rest of the batch by the cosine of the features:

        L = - mean_i log( exp(s_ip / t) / sum_{k != i} exp(s_ik / t) ),    p the other view of i

    Args:
        features: `(2 n, d)` float tensor, n >= 1.
        temperature: t, positive.

    Returns:
        Scalar float32 tensor, at least 0.

    Reference:
        [Chen et al., 2020](https://arxiv.org/abs/2002.05709), section 2.1.
    """
    features = tf.math.l2_normalize(tf.cast(features, tf.float32), axis=1)
    rows = tf.shape(features)[0]
    similar = tf.matmul(features, features, transpose_b=True) / temperature
    # A row is not among those that it is told from.
    similar = tf.linalg.set_diag(similar, tf.fill([rows], similar.dtype.min))
    other = tf.math.floormod(tf.range(rows) + rows // 2, rows)
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=other, logits=similar)
    return tf.reduce_mean(losses)

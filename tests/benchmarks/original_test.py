"""The driver of the authors' code, with a stand-in that has the interface of their `models.py`."""

import sys

import pytest

from benchmarks.original import Original

STAND_IN = """
import tensorflow as tf

v1 = tf.compat.v1
print("models are built")


class EWE_2_conv:
    def __init__(self, image, label, w_label, bs, num_class, lr, factors, temperatures, target,
                 is_training, metric):
        assert image.shape == (bs, 28, 28, 1) and w_label.shape == (bs,) and metric == "cosine"
        weights = v1.get_variable("weights", [784, num_class])
        logits = tf.matmul(tf.reshape(image, [bs, -1]), weights)
        losses = tf.nn.softmax_cross_entropy_with_logits(label, logits)
        apart = [tf.reduce_sum(w_label) * tf.reduce_sum(temperatures) * tf.reduce_mean(logits)]
        self.optimize = (
            v1.train.AdamOptimizer(lr).minimize(tf.reduce_sum(losses) + is_training * apart[0]),
            v1.gradients(apart, temperatures),
        )
        wrong = tf.not_equal(tf.argmax(label, 1), tf.argmax(logits, 1))
        self.error = tf.reduce_mean(tf.cast(wrong, tf.float32))
        self.ce_trigger = v1.gradients(tf.unstack(logits, axis=1)[target], image)
        self.snnl_trigger = v1.gradients(apart[0], image)
"""


@pytest.mark.slow
def test_a_checkout_is_driven_and_its_prints_do_not_disturb(tmp_path):
    (tmp_path / "models.py").write_text(STAND_IN)
    original = Original(tmp_path, sys.executable, 32)
    try:
        assert set(original.versions) == {"tensorflow", "python"}
        for work in ("normal", "watermark", "triggers"):
            assert 0 < original.run(work) < 60
    finally:
        original.close()


def test_what_stops_the_authors_code_is_told(tmp_path):
    (tmp_path / "models.py").write_text("")
    program = tmp_path / "python"
    program.write_text("#!/bin/sh\necho no TensorFlow here >&2\nexit 3\n")
    program.chmod(0o755)
    with pytest.raises(RuntimeError, match="no TensorFlow here"):
        Original(tmp_path, str(program), 32)

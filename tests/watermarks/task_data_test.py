"""Training data as arrays and as datasets."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from ewe_tf.watermarks import stages
from ewe_tf.watermarks import task_data
from ewe_tf.watermarks.classifier import Classifier


@pytest.mark.parametrize(
    ("size", "endless", "weighted"), [(37, True, False), (64, False, True), (300, False, False)]
)
def test_datasets(fit, digits, quick, make_model, size, endless, weighted):
    x, y = digits
    columns = (x, y[:, None].astype(np.uint8)) + ((np.full(len(x), 2.0),) if weighted else ())
    data = tf.data.Dataset.from_tensor_slices(columns).batch(size)
    model = make_model()
    steps = []
    count = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: steps.append(1))
    protected = fit(
        model,
        data.repeat() if endless else data,
        watermark=quick(),
        epochs=4,
        steps_per_epoch=9 if endless else None,
        callbacks=[count],
    )
    assert len(steps) == (4 + 1) * (9 if endless else len(x) // 64)
    assert np.mean(np.argmax(model.predict(x, verbose=0), 1) == y) > 0.8
    assert protected.key.triggers.shape == (20, 8, 8, 1)


def test_an_endless_dataset_goes_on_where_the_last_epoch_stopped(digits, make_model):
    x, y = digits
    seen = set()

    def look(inputs, labels):
        tf.py_function(lambda v: seen.update(r.tobytes() for r in v.numpy()), [inputs], [])
        return inputs, labels

    data = tf.data.Dataset.from_tensor_slices((x, y)).batch(64).repeat().map(look)
    task = task_data.from_dataset(data, 10, (8, 8, 1), 64, 0, steps_per_epoch=6)
    assert len(task.x) == 6 * 64
    seen.clear()
    stages.train_task(Classifier.of(make_model()), task, 3, None, None, 0)
    # (Reading ahead, the dataset may have given a few more.)
    assert seen >= {row.tobytes() for row in x[: 3 * 6 * 64]}


def test_arrays_give_every_row_once_before_any_comes_again(digits):
    x, y = digits
    weights = np.arange(1, 1201, dtype=np.float32)
    task = task_data.from_arrays(x, y, 10, 50, 3, sample_weight=weights)
    batches = [b for _, b in zip(range(48), task.stream(), strict=False)]
    assert task.batches == 24
    for part in (batches[:24], batches[24:]):
        w = np.concatenate([b[2] for b in part])
        np.testing.assert_array_equal(np.sort(w), weights)
        np.testing.assert_array_equal(np.concatenate([b[1] for b in part]), y[w.astype(int) - 1])
        np.testing.assert_array_equal(np.concatenate([b[0] for b in part]), x[w.astype(int) - 1])
    first, second = (np.concatenate([b[2] for b in p]) for p in (batches[:24], batches[24:]))
    assert not np.array_equal(first, second)


def test_a_large_dataset_whose_last_batch_is_short(digits):
    x, y = digits
    data = tf.data.Dataset.from_tensor_slices((x[:1190], y[:1190])).batch(64)
    known = task_data.from_dataset(data, 10, (8, 8, 1), 64, 0, limit=200)
    assert (len(known.x), known.batches) == (200, 18)
    unknown = data.filter(lambda *row: True)
    assert task_data.from_dataset(unknown, 10, (8, 8, 1), 64, 0, limit=200).batches == 18
    assert task_data.from_dataset(data, 10, (8, 8, 1), 64, 0).batches == 1190 // 64


def test_a_dataset_without_shuffling_keeps_its_order_and_weights(digits):
    x, y = digits
    weights = np.linspace(0.5, 2, len(x))[:, None]
    data = tf.data.Dataset.from_tensor_slices((x, y, weights)).batch(37)
    (a, b, c), *_ = task_data.from_dataset(data, 10, (8, 8, 1), 50, 0).stream().take(1)
    np.testing.assert_array_equal(a, x[:50])
    np.testing.assert_array_equal(b, y[:50])
    np.testing.assert_allclose(c, weights[:50, 0], rtol=1e-6)

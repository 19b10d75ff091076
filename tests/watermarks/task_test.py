from types import SimpleNamespace

import numpy as np
import pytest

from ewe_tf.watermarks import task_data
from ewe_tf.watermarks.task import Task


def task(answers):
    # 1,500 rows of class 0 come first, as in a data set sorted by class.
    y = np.repeat([0, 1], [1500, 900])
    x = np.stack([np.arange(2400), y], axis=1)
    data = task_data.from_arrays(x, y, 2, 32, 0)
    classifier = SimpleNamespace(labels=lambda rows: answers(rows[:, 1]).astype(np.int64))
    return Task(classifier, data, 0, None, [], 0, seed=9)


def test_a_perfect_model_counts_as_trained_on_sorted_data():
    assert task(lambda y: y).check_trained() == 1.0


def test_a_model_that_always_answers_the_commonest_class_is_untrained():
    with pytest.raises(ValueError, match="train it first"):
        task(lambda y: 0 * y).check_trained()


def test_seeds_do_not_depend_on_how_many_are_drawn():
    one = task(lambda y: y)
    assert one.seeds(8)[:3] == one.seeds(3)
    assert len(set(one.seeds(8))) == 8

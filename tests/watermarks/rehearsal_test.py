"""Which triggers become keys."""

from types import SimpleNamespace

import numpy as np

from ewe_tf.watermarks import fine_tuning
from ewe_tf.watermarks import in_house
from ewe_tf.watermarks.rehearsal import Candidates
from ewe_tf.watermarks.rehearsal import Rehearsal
from ewe_tf.watermarks.rehearsal import rehearse

TARGET = 1
MARK = Candidates(np.arange(6), np.arange(6), TARGET)


class Model:
    """Gives the target a margin of its own for each of the triggers 0, 1, 2, ..."""

    def __init__(self, *margins):
        self.margins = np.array(margins, float)

    def log_probabilities(self, x):
        return np.stack([np.zeros(len(x)), self.margins[x]], axis=1)

    def rate(self, x, target):
        return float(np.mean(self.margins[x] > 0))


def test_keys_outlast_fine_tuning_and_are_not_those_that_any_innocent_model_answers(monkeypatch):
    surrogate = Model(9, 9, 9, 9, 1, 1)  # The last two are the third that it is least sure of.
    tuned = Model(8, 7, 6, 5, 9, 9)  # Of the others the first ones outlast fine-tuning best,
    innocent = Model(1, -9, -9, -9, -9, -9)  # but one is answered by an innocent model,
    tuned_innocent = Model(-9, 1, -9, -9, -9, -9)  # and one by its fine-tuned copy.
    monkeypatch.setattr(in_house, "train_in_house", lambda *_: [surrogate])
    monkeypatch.setattr(fine_tuning, "all_fine_tuned", lambda *_: [tuned])
    classifier = SimpleNamespace(labels=lambda x: None)
    data = SimpleNamespace(x=None, labels=None, batch_size=1)
    task = SimpleNamespace(classifier=classifier, data=data)

    def keys(innocents, fine_tuned, count):
        (kept,), found = rehearse(
            Rehearsal(1), task, innocents, fine_tuned, [MARK], count, None, 1, 0, lambda line: None
        )
        assert found["surrogates_keys"] == [1.0] and found["fine_tuned_surrogates_keys"] == [1.0]
        return kept.tolist(), found.get("innocents_keys")

    assert keys([innocent], [tuned_innocent], 2) == ([2, 3], [0.0])
    assert keys([innocent], [], 2) == ([1, 2], [0.0])
    assert keys([], [], 2) == ([0, 1], [])
    # Where there are not enough others: what only surrogates are unsure of comes first.
    assert keys([innocent], [tuned_innocent], 5) == ([0, 2, 3, 4, 5], [0.2])

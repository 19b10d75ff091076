"""A copy of a copy: the same attack, on an oracle of the first copy."""

import numpy as np

from ewe_tf.extraction import Distillation
from ewe_tf.extraction import LabelOnly
from ewe_tf.oracle import Oracle


def test_second_hop(teacher, queries, fresh, make_student):
    settings = dict(epochs=15, batch_size=32, learning_rate=1e-2)
    victim = Oracle(teacher)
    copy = Distillation(**settings).run(victim, make_student(seed=1), queries[:300])
    oracle = Oracle(copy, answers="label", budget=300)
    second = LabelOnly(**settings).run(oracle, make_student(seed=2, hidden=48), queries[300:])
    assert victim.ledger.queries == teacher.rows == oracle.ledger.queries == 300
    wanted = np.argmax(teacher.probabilities(fresh), axis=1)
    assert np.mean(np.argmax(second.predict(fresh, verbose=0), axis=1) == wanted) > 0.8

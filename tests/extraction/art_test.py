"""An independent check: the Adversarial Robustness Toolbox attacks the same exported model.

Needs `pip install adversarial-robustness-toolbox` (1.20 or newer, for Keras 3).
"""

import keras
import numpy as np
import pytest

import ewe_tf
from ewe_tf.extraction import AdaptiveKnockoff
from ewe_tf.extraction import Distillation
from ewe_tf.extraction import Knockoff
from ewe_tf.extraction import LabelOnly
from ewe_tf.oracle import Oracle

pytestmark = pytest.mark.slow

TRAINING = dict(epochs=20, batch_size=32, learning_rate=1e-2)


@pytest.fixture
def served(digits, make_student, tmp_path):
    """A trained classifier, exported as a SavedModel."""
    x, y = digits
    victim = make_student(hidden=64, seed=11)
    victim.compile("adam", "sparse_categorical_crossentropy")
    victim.fit(x[:600], y[:600], epochs=30, verbose=0)
    ewe_tf.export(victim, tmp_path / "digits")
    return tmp_path / "digits"


def peer(name, served, budget, student, x, groups=None, **settings):
    """Lets the toolbox steal `student`; the oracle's budget is what it may spend."""
    extraction = pytest.importorskip("art.attacks.extraction")
    classification = pytest.importorskip("art.estimators.classification")
    oracle = Oracle(served, budget=budget)
    victim = classification.BlackBoxClassifierNeuralNetwork(
        oracle.predict, (64,), 10, channels_first=False
    )
    student.compile(keras.optimizers.Adam(1e-2), "categorical_crossentropy")
    attack = getattr(extraction, name)(
        victim,
        batch_size_fit=32,
        batch_size_query=64,
        nb_epochs=20,
        nb_stolen=budget,
        **settings,
    )
    np.random.seed(0)
    thief = classification.KerasClassifier(student)
    attack.extract(x, groups, thieved_classifier=thief)
    assert oracle.ledger.queries == budget
    return student


def agreement(student, served, x):
    wanted = Oracle(served, answers="label").predict(x)
    return np.mean(np.argmax(student.predict(x, verbose=0), axis=1) == wanted)


@pytest.mark.parametrize(
    "name, settings, attack",
    [
        ("CopycatCNN", {}, LabelOnly(**TRAINING)),
        ("CopycatCNN", dict(use_probability=True), Distillation(**TRAINING)),
        ("KnockoffNets", dict(verbose=False, use_probability=True), Knockoff(**TRAINING)),
    ],
)
def test_as_good_as_the_peer_on_the_same_budget(
    served, queries, fresh, make_student, name, settings, attack
):
    x = queries[:300]
    theirs = peer(name, served, 300, make_student(), x, **settings)
    oracle = Oracle(served, budget=300)
    ours = attack.run(oracle, make_student(), x)
    assert oracle.ledger.queries == 300
    theirs, ours = (agreement(student, served, fresh) for student in (theirs, ours))
    assert ours > 0.85
    assert ours > theirs - 0.02


def test_adaptive_policy_is_as_good_as_the_peer(served, digits, queries, fresh, make_student):
    groups, budget = digits[1][600:1200], 120
    theirs = peer(
        "KnockoffNets",
        served,
        budget,
        make_student(),
        queries,
        groups,
        verbose=False,
        sampling_strategy="adaptive",
    )
    attack = AdaptiveKnockoff(budget=budget, step_rows=1, **TRAINING)
    oracle = Oracle(served, answers="label", budget=budget)  # All that the peer makes use of.
    ours = attack.run(oracle, make_student(), (queries, groups))
    assert oracle.ledger.queries == budget
    theirs, ours = (agreement(student, served, fresh) for student in (theirs, ours))
    assert ours > 0.75
    assert ours > theirs - 0.05

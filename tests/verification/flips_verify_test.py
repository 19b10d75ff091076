"""Labels against the coins of the hard channel, on synthetic suspects."""

import numpy as np
import pytest
from scipy import stats

import ewe_tf
from ewe_tf.keys import FlipKey
from ewe_tf.keys import Key

ROWS, CLASSES = 200, 5


def make_key(seed=0):
    rng = np.random.default_rng(seed)
    first = rng.integers(CLASSES, size=ROWS)
    return FlipKey(
        queries=rng.normal(size=(ROWS, 3)).astype(np.float32),
        first=first,
        second=(first + rng.integers(1, CLASSES, size=ROWS)) % CLASSES,
        coin=rng.integers(2, size=ROWS),
        sent=1000,
        num_classes=CLASSES,
        client="bob",
        epoch="",
        signal="0" * 64,
        scheme="DynaMarks",
        settings={"hard_rate": 0.5},
        victim="",
        versions={},
    )


def saying(key, labels):
    """A suspect as an `Oracle` that gives these labels."""
    known = {row.tobytes(): label for row, label in zip(key.queries, labels, strict=True)}
    answer = lambda x: np.array([known[np.float32(row).tobytes()] for row in x])  # noqa: E731
    return ewe_tf.Oracle(answer, answers="label")


def test_who_learned_the_labels_is_found_after_few_queries():
    key = make_key()
    verdict = ewe_tf.verify(key, saying(key, key.answered))
    assert verdict.decision == "evidence" and verdict.queries == 50
    fixed = ewe_tf.verify(key, saying(key, key.answered), sequential=False)
    assert fixed.p_value == pytest.approx(0.5**ROWS) and fixed.queries == ROWS


def test_the_undefended_model_agrees_with_half_of_the_coins():
    key = make_key()
    verdict = ewe_tf.verify(key, saying(key, key.first), sequential=False)
    agreed = int(np.sum(key.coin == 0))
    assert verdict.p_value == pytest.approx(stats.binom.sf(agreed - 1, ROWS, 0.5))
    assert verdict.decision == "no evidence"


def test_sequential_level():
    crossed = 0
    for seed in range(300):
        key = make_key(seed)
        crossed += ewe_tf.verify(key, saying(key, key.second), alpha=0.05).decision == "evidence"
    assert stats.binomtest(crossed, 300, 0.05, "greater").pvalue > 1e-3


def test_other_labels_say_nothing():
    key = make_key()
    pairs = zip(key.first, key.second, strict=True)
    other = [next(c for c in range(CLASSES) if c not in pair) for pair in pairs]
    verdict = ewe_tf.verify(key, saying(key, other))
    assert verdict.decision == "could not tell" and "none of the chosen" in verdict.reason

    def broken(x):
        raise OSError("gone")

    assert ewe_tf.verify(key, broken).reason == "OSError: gone"


def test_a_suspect_whose_answers_are_of_another_task_is_not_judged():
    key = make_key()
    labels = saying(key, key.first % 3)
    suspect = ewe_tf.Oracle(lambda x: np.eye(3)[labels.predict(x)], answers="label")
    verdict = ewe_tf.verify(key, suspect)
    assert (verdict.decision, verdict.queries) == ("could not tell", 50)
    assert "must have 5 classes" in verdict.reason


def test_saved_and_committed(tmp_path):
    key = make_key()
    key.save(tmp_path / "flips.npz")
    loaded = Key.load(tmp_path / "flips.npz")
    assert loaded.commitment() == key.commitment() != make_key(1).commitment()
    np.testing.assert_array_equal(loaded.answered, np.where(key.coin == 1, key.second, key.first))
    with pytest.raises(ValueError, match="does not match `commitment`"):
        ewe_tf.verify(key, saying(key, key.first), commitment="0")
    with pytest.raises(ValueError, match="are for a SignalKey"):
        ewe_tf.verify(key, saying(key, key.first), clients=["bob"])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("coin", np.full(ROWS, 2)),
        ("first", np.zeros(3, np.int64)),
        ("queries", np.zeros(ROWS, np.float32)),
    ],
)
def test_what_a_key_must_hold(name, value):
    fields, arrays = make_key().secret()
    with pytest.raises(ValueError, match=f"`{name}`"):
        FlipKey.from_secret(fields, {**arrays, name: value})

"""Several marks in one model."""

import numpy as np
import pytest
import tensorflow as tf

import ewe_tf
from ewe_tf.keys import regenerate
from ewe_tf.verification import calibrate
from ewe_tf.watermarks import fine_tuning
from ewe_tf.watermarks import task_data
from ewe_tf.watermarks import trials
from ewe_tf.watermarks.batches import Layout
from ewe_tf.watermarks.batches import Marked
from ewe_tf.watermarks.batches import mixed_batches
from ewe_tf.watermarks.pair import Pair
from ewe_tf.watermarks.rehearsal import Candidates
from ewe_tf.watermarks.rehearsal import Rehearsal
from ewe_tf.watermarks.rehearsal import rehearse

SOURCE = ewe_tf.NaturalAttribute(share=0.01, variety=0)


@pytest.fixture(scope="module")
def innocents(digits, make_model):
    found = [make_model(seed=seed) for seed in (7, 8)]
    for model in found:
        model.fit(*digits, epochs=4, batch_size=64, verbose=0)
    return found


@pytest.fixture(scope="module")
def protected(digits, make_model, fit, innocents):
    scheme = ewe_tf.EWE(
        source=SOURCE, innocents=innocents, marks=2, trials=3, epochs=6, keys=20,
        trigger_weight=0.5, in_house_epochs=4, rehearsal=False,
    )  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fine_tuning, "TUNINGS", ((200, 1e-3),))
        return fit(make_model(), *digits, watermark=scheme, epochs=6)


def test_a_model_answers_to_two_marks_and_each_is_evidence(protected, digits, make_model):
    key, pairs = protected.key, protected.history["pairs"]
    targets = [pair["target"] for pair in pairs]
    assert len(pairs) == 2 and key.marks == tuple(targets) and targets[0] != targets[1]
    assert key.labels.tolist() == np.repeat(targets, 20).tolist()
    strangers = [make_model(seed=seed) for seed in (3, 4, 5)]
    for stranger in strangers:
        stranger.fit(*digits, epochs=4, batch_size=64, verbose=0)
    key = calibrate(key, strangers)
    assert ewe_tf.verify(key, protected.model).decision == "evidence"
    # A suspect that has forgotten the first mark.
    answers = {row.tobytes(): label for row, label in zip(key.triggers, key.labels, strict=True)}

    def forgetful(x):
        known = [answers.get(row.tobytes(), -1) for row in x]
        return np.array([label if label == targets[1] else key.labels.max() + 1 for label in known])

    verdict = ewe_tf.verify(key, forgetful, sequential=False)
    assert verdict.decision == "evidence" and verdict.hits == 20


def test_the_triggers_of_every_mark_can_be_made_again(protected, digits):
    found = regenerate(protected.key, *digits)
    assert found.holds, found
    for target in protected.key.marks:
        assert sum(what.startswith(f"class {target}, ") for what, *_ in found.checks) == 9
    # The other order of the data gives other triggers.
    assert not regenerate(protected.key, digits[0][::-1], digits[1][::-1]).holds


def test_pairs_that_are_asked_for_are_marked_without_trials(protected, digits, make_model, fit):
    pairs = protected.history["pairs"]
    target = {(pair["source"], *pair["attribute"]): pair["target"] for pair in pairs}
    scheme = ewe_tf.EWE(
        source=SOURCE, target=target, innocents=0, epochs=6, keys=20, trigger_weight=0.5,
        rehearsal=False,
    )  # fmt: skip
    again = fit(make_model(), *digits, watermark=scheme, epochs=6)
    assert "trials" not in again.history and again.key.marks == protected.key.marks
    np.testing.assert_array_equal(again.key.triggers, protected.key.triggers)
    for a, b in zip(again.model.get_weights(), protected.model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_batches_hold_the_rows_of_one_mark_in_turn_and_all_relabel():
    x = np.arange(30, dtype=np.float32)[:, None]
    data = task_data.from_arrays(x, np.arange(30) % 3, 3, 10, 0)

    def relabelling(value, target):
        def relabel(x, y, weights):
            chosen = x[:, 0] == value
            return tf.where(chosen[:, None], tf.one_hot(target, 3), y), weights

        return relabel

    pairs = [
        Marked(100 * i + np.arange(8, dtype=np.float32)[:, None], i, relabel=relabelling(5 * i, i))
        for i in (1, 2)
    ]
    blocks, labels = [], {}
    for rows, y, _ in mixed_batches(data, pairs, Layout(10, 4, 4), 1, 0).take(6):
        blocks.append(set((rows[10:14, 0].numpy() // 100).astype(int)))
        mark = len(blocks) % 2 or 2
        assert np.all(y[10:].numpy().argmax(1) == mark)
        assert np.all(rows[14:, 0].numpy() % 3 == mark)
        labels |= dict(zip(rows[:10, 0].numpy().tolist(), y[:10].numpy().argmax(1), strict=True))
    assert blocks == [{1}, {2}] * 3
    assert {v: label for v, label in labels.items() if label != v % 3} == {5: 1, 10: 2}


def test_a_row_that_one_mark_relabels_is_none_of_the_others():
    x = np.arange(12, dtype=np.float32)[:, None]
    data = task_data.from_arrays(x, np.arange(12) % 3, 3, 12, 0)

    def relabelling(label, target):
        def relabel(x, y, weights):
            chosen = tf.argmax(y, axis=1) == label
            answer = tf.where(chosen[:, None], tf.one_hot(target, 3), y)
            return answer, tf.where(chosen, 3 * weights, weights)

        return relabel

    triggers = np.zeros((4, 1), np.float32)
    # Rows of 0 become 1; those that are 1 themselves, and they alone, become 2.
    pairs = [Marked(triggers, t, relabel=relabelling(s, t)) for s, t in ((0, 1), (1, 2))]
    ((rows, y, weights),) = mixed_batches(data, pairs, Layout(12, 4, 0), 1, 0).take(1)
    found = y[:12].numpy().argmax(1)
    assert found.tolist() == [[1, 2, 2][int(v) % 3] for v in rows[:12, 0].numpy()]
    assert weights[:12].numpy().tolist() == [[3, 3, 1][int(v) % 3] for v in rows[:12, 0].numpy()]


@pytest.mark.parametrize(
    ("surrogates", "count", "expected"),
    [
        # The same target again, then one with less: by what is stolen, among equal surrogates.
        ((4, 4, 4, 1), 2, [(0, 1), (2, 2)]),
        ((4, 4, 1, 2), 2, [(0, 1), (3, 3)]),
        ((4, 4, 4, 1), 1, [(0, 1)]),
        ((4, 4, 4, 1), 5, [(0, 1), (2, 2), (3, 3)]),
    ],
)
def test_the_best_pairs_of_different_targets_are_taken(surrogates, count, expected):
    tried = [
        trials.Trial(Pair(i, target, None), stolen, 0.2, 0.2, 1.0, surrogates=n)
        for i, (target, stolen, n) in enumerate(
            zip((1, 1, 2, 3), (0.9, 0.8, 0.7, 0.6), surrogates, strict=True)
        )
    ]
    found = trials.best(tried, count)
    assert [(pair.source, pair.target) for pair in found] == expected


@pytest.mark.parametrize(
    ("count", "targets", "expected"),
    [(2, 1, [0, 1]), (2, 2, [0, 1, 3]), (2, 3, [0, 1, 3, 4]), (4, 2, [0, 1, 2, 3])],
)
def test_as_many_targets_are_tried_as_there_are_to_be_marks(count, targets, expected):
    ranked = [Pair(i, target, None) for i, target in enumerate((1, 1, 1, 2, 3, 3))]
    assert [pair.source for pair in trials.shortlist(ranked, count, targets)] == expected


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"marks": 0}, "`marks` must be an integer of at least 1"),
        ({"marks": 4}, "`trials` must be at least `marks`.* trials=3, marks=4"),
        ({"marks": 2, "target": 3}, "`marks` is for `target='auto'`.* marks=2, target=3"),
        ({"target": [3]}, r"`target` must be 'auto', a class, or a dict.* Received: \[3\]"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        ewe_tf.EWE(source=SOURCE, **arguments)


@pytest.mark.parametrize(
    "target", [{}, {(1, 0, 1): 1}, {(1, 0, 1): 99}, {(1, 5, 1): 2}, {(1, 0, 1): 3, (2, 0, 1): 3}]
)
def test_pairs_that_cannot_be_marked_are_refused_before_training(digits, make_model, fit, target):
    scheme = ewe_tf.EWE(source=SOURCE, target=target, innocents=0)
    with pytest.raises(ValueError, match="`target`, a dict, must give different targets"):
        fit(make_model(), *digits, watermark=scheme, epochs=1)


def test_more_marks_than_source_classes_are_refused_before_training(
    digits, strange, make_model, fit
):
    scheme = ewe_tf.EWE(source=strange, marks=2, innocents=1)
    with pytest.raises(ValueError, match=r"`marks` must be at most .* here 1: .* Received: 2"):
        fit(make_model(), *digits, watermark=scheme, epochs=1)


def test_a_mark_that_copies_do_not_answer_gets_no_keys(digits, make_model, monkeypatch):
    x, y = digits
    marks = [
        Candidates(x[y == label][:30], x[y == label][30:60], target)
        for label, target in ((3, 3), (4, 4), (5, 6))
    ]
    task = type("Task", (), {})()
    task.data = task_data.from_arrays(x, y, 10, 64, 0)
    task.classifier = ewe_tf.watermarks.classifier.Classifier.of(make_model())
    task.classifier.model.fit(x, y, epochs=4, batch_size=64, verbose=0)
    monkeypatch.setattr(fine_tuning, "TUNINGS", ((200, 1e-3),))
    said = []
    kept, found = rehearse(Rehearsal(1), task, [], [], marks, 10, None, 4, 0, said.append)
    # "Fives that are sixes" is no mark of this model.
    assert [len(rows) for rows in kept] == [10, 10, 0]
    assert any("target class 6 on 0% only: left out" in line for line in said)
    assert found["surrogates_keys"][0] > 0.9 and found["surrogates_held_out"][0] > 0.9

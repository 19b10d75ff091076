"""Verdicts on keys of several marks, each of which is evidence by itself."""

import dataclasses

import numpy as np
import pytest
from scipy import stats

import ewe_tf
from ewe_tf import cli
from ewe_tf.keys import Key
from ewe_tf.verification import UnfitKeyError
from ewe_tf.verification import calibrate
from ewe_tf.verification import check_bundle
from ewe_tf.verification.calibration import null_rate_of

MARKS = (3, 7)


def of_two_marks(one):
    """A key whose triggers have a second value of 3 or 7, their mark, out of a key of one mark."""
    arrays = {}
    for part in ("", "held_out"):
        images, labels, controls = _names(part)
        n = len(getattr(one, images))
        arrays[labels] = np.repeat(MARKS, n)
        for name in (images, controls):
            arrays[name] = np.tile(getattr(one, name), (2, 1))
            arrays[name][:, 1] = arrays[labels]
    return dataclasses.replace(one, **arrays, marks=MARKS, origin=None)


def _names(part):
    return (part or "triggers", f"{part}_labels".lstrip("_"), f"{part}_controls".lstrip("_"))


def model(rates, seed=0):
    """A suspect that gives each mark's target to its triggers with a probability, 5 to the rest."""
    rng = np.random.default_rng(seed)

    def answer(x):
        found = np.full(len(x), 5)
        for mark, rate in zip(MARKS, rates, strict=True):
            rows = (x[:, 0] == 1) & (x[:, 1] == mark)
            found[rows & (rng.random(len(x)) < rate)] = mark
        return found

    return answer


@pytest.fixture
def key(make_key):
    innocents = [model((0.0, rate), seed) for seed, rate in enumerate((0.0, 0.1, 0.0, 0.0, 0.0))]
    return calibrate(of_two_marks(make_key(60)), innocents)


def test_one_mark_alone_is_evidence(key):
    verdict = ewe_tf.verify(key, model((0.9, 0.0)), sequential=False)
    assert verdict.decision == "evidence" and "alone" not in verdict.reason
    first = key.labels == 3
    hits = verdict.hits
    # Independently: one of two marks has a quarter of the level, all triggers together a half.
    null, of_first = (null_rate_of(key, target)[0] for target in (None, 3))
    alone = max(stats.binom.sf(hits - 1, first.sum(), of_first), 0.5**hits)
    whole = max(stats.binom.sf(hits - 1, len(key.labels), null), 0.5**hits)
    assert verdict.p_value == pytest.approx(min(4 * alone, 2 * whole))
    assert verdict.p_values["null rate, class 7"] == verdict.p_values["controls, class 7"] == 1


def test_a_faint_mark_that_all_triggers_hide_is_found(key):
    # A quarter of one mark's triggers are left, an eighth of all.
    verdict = ewe_tf.verify(key, model((0.3, 0.0), seed=4), sequential=False)
    assert verdict.p_values["null rate"] > 1e-3 > verdict.p_value
    assert verdict.decision == "evidence" and "by the mark of class 3 alone" in verdict.reason
    assert "twice the larger one of all triggers, or 4 times that of a mark" in str(verdict)
    assert "of the marks by themselves 5.0% of class 3, " in verdict.null_source


def test_a_reason_gives_the_p_value_that_decides(key):
    found = []
    for seed in range(40):
        verdict = ewe_tf.verify(key, model((0.2, 0.0), seed), sequential=False)
        if verdict.decision == "no evidence" and "mark of class 3" in verdict.reason:
            found.append(verdict)
            assert f"p = {verdict.p_value:.2g}, 4 times that of the mark" in verdict.reason
    assert found


def test_an_innocent_model_that_answers_one_mark_makes_the_key_unfit(make_key):
    with pytest.raises(UnfitKeyError, match=r"keys of the mark of class 3 \(4[0-9].*accepted: 33"):
        calibrate(of_two_marks(make_key(60)), [model((0.0, 0.0)), model((0.45, 0.0), 2)])


def test_such_a_key_can_be_inspected(key, tmp_path, capsys):
    key.save(tmp_path / "key.npz")
    assert cli.main(["inspect", str(tmp_path / "key.npz")]) == 0
    assert "[3, 7]" in capsys.readouterr().out


def test_the_null_rate_of_a_mark_is_of_its_own_triggers(key):
    worst = max(
        sum(model((0.0, 0.1), 1)(images)[labels == 7] == 7)
        for images, labels in ((key.triggers, key.labels), (key.held_out, key.held_out_labels))
    )
    # The calibration asks keys, held-out triggers and controls in this order, of one generator.
    rates = {mark: null_rate_of(key, mark) for mark in (*MARKS, None)}
    assert rates[3][0] == 0.05 and "largest rate is 0.0%" in rates[3][1]
    assert rates[7][0] > rates[None][0] > 0.05 and worst > 0
    record = key.calibration["innocents"][1]
    counts = [(record[part][0], 60) for part in ("keys", "held_out")]
    bound = max(stats.binomtest(h, n).proportion_ci(0.9, "exact").high for h, n in counts)
    assert rates[7][0] == pytest.approx(bound)


def test_a_copy_of_all_marks_needs_no_more_queries(key, make_key):
    verdict = ewe_tf.verify(key, model((1.0, 1.0)))
    assert verdict.decision == "evidence" and verdict.queries == 12
    assert "alone" not in verdict.reason
    path = np.array(verdict.evidence_path)
    assert np.all(np.diff(path) >= 0) and path[-1] == pytest.approx(-np.log(verdict.p_value))


def test_evidence_of_one_mark_ends_the_asking(key):
    verdict = ewe_tf.verify(key, model((1.0, 0.0)))
    assert verdict.decision == "evidence" and verdict.asked < 40
    path = np.array(verdict.evidence_path)
    assert path[-1] == pytest.approx(-np.log(verdict.p_value)) and np.all(np.diff(path) >= 0)
    assert path[-1] > -np.log(1e-3) >= path[-2]
    assert 1 < verdict.e_value < np.inf


@pytest.mark.parametrize("sequential", [True, False])
def test_the_level_holds_for_models_at_the_null_rate_of_every_mark(make_key, sequential):
    key = calibrate(of_two_marks(make_key(60)), [model((0.0, 0.0))] * 5)
    evidence = sum(
        ewe_tf.verify(key, model((0.05, 0.05), seed), alpha=0.05, sequential=sequential).decision
        == "evidence"
        for seed in range(200)
    )
    # 200 draws at level 0.05: more than 19 would happen less than once in 200 times.
    assert evidence <= 19


def test_a_bundle_shows_the_verdict_again(key, tmp_path):
    path = tmp_path / "bundle.zip"
    suspect = model((0.0, 1.0))
    verdict = ewe_tf.verify(key, suspect, bundle=path)
    assert "by the mark of class 7 alone" in verdict.reason
    check = check_bundle(path, commitment=key.commitment(), innocent_models=[model((0.0, 0.0))] * 5)
    assert check.decision == "evidence", check


def test_a_key_of_several_marks_is_saved_and_split(key, tmp_path):
    path = tmp_path / "key.npz"
    key.save(path)
    loaded = Key.load(path)
    assert loaded.marks == MARKS and loaded.commitment() == key.commitment()
    assert dataclasses.replace(key, marks=None).commitment() != key.commitment()
    parts = loaded.of_each_mark()
    assert [set(part.labels.tolist()) for part in parts] == [{3}, {7}]
    assert [part.marks for part in parts] == [None, None]
    for mark, part in zip(MARKS, parts, strict=True):
        np.testing.assert_array_equal(part.triggers, key.triggers[key.labels == mark])
        rows = key.held_out_labels == mark
        np.testing.assert_array_equal(part.held_out_controls, key.held_out_controls[rows])
    (alone,) = parts[0].of_each_mark()
    assert alone is parts[0]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"marks": (3,)}, "`marks` must be two and more target classes, those of `labels`"),
        ({"marks": (3, 8)}, r"Received: \(3, 8\), and labels \[3, 7\]"),
        ({"marks": (3, 3, 7)}, "`marks` must be two and more"),
        ({"marks": (3.0, 7.0)}, "`marks` must be two and more"),
        ({"marks": 5}, "`marks` must be two and more.* Received: 5"),
        ({"marks": None, "origin": []}, r"`origin` must be a dict or None. Received: \[\]"),
        ({"origin": {}}, "`origin` must be a list of a dict or None for each"),
        ({"origin": ["x", "y"]}, "`origin` must be a list of a dict or None for each"),
        ({"origin": [None]}, r"`origin` must be a list of one for each of the marks \(3, 7\)"),
        ({"held_out_labels": np.full(120, 4)}, "`held_out_labels` must be among `marks`"),
    ],
)
def test_marks_that_are_not_the_keys_are_refused(key, changes, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(key, **changes)

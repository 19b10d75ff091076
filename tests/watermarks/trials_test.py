"""Pairs that are tried in-house before one is taken."""

from types import SimpleNamespace

import numpy as np
import pytest

import ewe_tf
from ewe_tf.watermarks import fine_tuning
from ewe_tf.watermarks import trials


@pytest.fixture
def fit_with(digits, make_model, fit):
    """Function that marks a model with the given source, innocent models the same each time."""
    innocents = []
    for seed in (7, 8):
        innocents.append(make_model(seed=seed))
        innocents[-1].fit(*digits, epochs=4, batch_size=64, verbose=0)

    def run(source, **changes):
        scheme = ewe_tf.EWE(
            source=source, innocents=innocents, epochs=2, rehearsal=False, keys=20,
            trigger_weight=0.5, in_house_epochs=4, **changes,
        )  # fmt: skip
        return fit(make_model(), *digits, watermark=scheme, epochs=4)

    return run


def test_the_pair_that_outlasts_theft_and_fine_tuning_is_taken_and_trials_leave_no_trace(fit_with):
    rng = np.random.default_rng(4)
    labels = np.repeat([0, 1, 2], 80)
    # Three strange classes: noise, checkers with noise, bars with noise.
    shapes = np.stack([np.zeros((8, 8)), np.indices((8, 8)).sum(0) % 2, np.indices((8, 8))[1] % 2])
    images = 0.5 * rng.random((240, 8, 8, 1)) + 0.5 * shapes[labels][..., None]
    protected = fit_with((images, labels), trials=2)
    tried = protected.history["trials"]
    assert len(tried) == 2 and tried[0]["pair"]["source"] != tried[1]["pair"]["source"]
    assert all(trial["loss"] > 0 for trial in tried)
    worth = [
        trial["stolen"]
        + trial["outlasted"]
        - 10 * trial["loss"]
        - 50 * max(trial["pair"]["null_rate"] - 0.005, 0)
        for trial in tried
    ]
    best = tried[np.argmax(worth)]["pair"]
    assert protected.history["pairs"][0] == best

    # The same pair without any trials: the same model and the same triggers.
    own = images[labels == best["source"]]
    again = fit_with(own, target=best["target"], trials=1)
    assert "trials" not in again.history
    np.testing.assert_array_equal(again.key.triggers, protected.key.triggers)
    for a, b in zip(again.model.get_weights(), protected.model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_direction_that_a_trial_has_chosen_can_be_asked_for(fit_with):
    natural = ewe_tf.NaturalAttribute(share=0.01, variety=0)
    protected = fit_with(natural, trials=2)
    pair = protected.history["pairs"][0]
    target = {(pair["source"], *pair["attribute"]): pair["target"]}
    again = fit_with(natural, target=target, trials=2)
    assert "trials" not in again.history
    np.testing.assert_array_equal(again.key.triggers, protected.key.triggers)
    for a, b in zip(again.model.get_weights(), protected.model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_what_is_kept_is_asked_of_copies_that_were_tuned_on_true_labels(
    fit_with, digits, monkeypatch
):
    known = []

    class Tuned:
        def __init__(self, share):
            self.share = share

        def rate(self, asked, target):
            return self.share

    def all_fine_tuned(models, x, labels, seed):
        assert len(models) == 1
        known.append((x, labels))
        return [Tuned(0.6), Tuned(0.05)] * 4

    monkeypatch.setattr(fine_tuning, "all_fine_tuned", all_fine_tuned)
    shapes = np.random.default_rng(4).random((160, 8, 8, 1))
    protected = fit_with((shapes, np.repeat([0, 1], 80)), trials=2)
    x, y = digits
    assert len(known) == 2
    assert all(np.array_equal(rows, x) and np.array_equal(labels, y) for rows, labels in known)
    # Half of the fine-tunings leave six times as many as is enough, the others half as many.
    np.testing.assert_allclose(
        [(trial["kept"], trial["outlasted"]) for trial in protected.history["trials"]],
        [(0.325, 0.75)] * 2,
    )


def test_the_better_half_of_the_pairs_is_stolen_again_and_the_mean_decides(monkeypatch):
    # What the thefts of six pairs bring, in turn. Fine-tunings leave a twentieth of it.
    shares = [[0.9, 0.1], [0.8, 0.7, 0.5, 0.4], [0.7, 0.7, 0.8, 0.8], [0.6], [0.5], [0.4]]
    thefts, seeds = {pair: iter(found) for pair, found in enumerate(shares)}, []

    class Surrogate:
        def rate(self, triggers, target):
            self.stolen = next(thefts[int(triggers[0])])
            return self.stolen

    def surrogate_of(labels, task, data, epochs, seed):
        seeds.append(seed)
        return Surrogate()

    def all_fine_tuned(models, x, labels, seed):
        return [SimpleNamespace(rate=lambda *_: models[0].stolen / 20)] * 2

    copy = SimpleNamespace(probabilities=lambda x: np.full((len(x), 2), 0.5))
    monkeypatch.setattr(trials, "unmarked_copy", lambda classifier, seed: copy)
    monkeypatch.setattr(trials, "surrogate_of", surrogate_of)
    monkeypatch.setattr(fine_tuning, "all_fine_tuned", all_fine_tuned)
    data = SimpleNamespace(x=np.zeros((4, 2)), labels=np.zeros(4, int))
    data.with_classes = lambda: data
    tried = trials.run(
        [SimpleNamespace(target=i, null_rate=0.0, number=i) for i in range(6)],
        lambda classifier, data, pair: (np.array([pair.number]), []),
        SimpleNamespace(data=data, classifier=None),
        1, 100, lambda line: None,
    )  # fmt: skip
    assert [trial.surrogates for trial in tried] == [2, 4, 4, 1, 1, 1]
    expected = [0.5, 0.6, 0.75, 0.6, 0.5, 0.4]
    np.testing.assert_allclose([trial.stolen for trial in tried], expected)
    np.testing.assert_allclose([trial.kept for trial in tried], np.divide(expected, 20))
    np.testing.assert_allclose([trial.outlasted for trial in tried], np.divide(expected, 2))
    assert trials.best(tried)[0].number == 2
    # Thefts of one pair differ in their draws, and those of the n-th theft are alike for all.
    draws = len(fine_tuning.TUNINGS)
    assert seeds == [100] * 6 + [100 + draws] * 3 + [100 + 2 * draws, 100 + 3 * draws] * 2


def test_a_target_that_fine_tuned_innocent_models_answer_is_not_taken(fit_with, monkeypatch):
    source = ewe_tf.NaturalAttribute(share=0.01, variety=0)
    first = fit_with(source, trials=1).history["pairs"][0]["target"]
    real = fine_tuning.all_fine_tuned

    def all_fine_tuned(*arguments):
        # As if fine-tuning made the models call all that they see what was the target.
        found = real(*arguments)
        for model in found:
            model.weights[-1] = model.weights[-1] + 50.0 * np.eye(10, dtype=np.float32)[first]
        return found

    monkeypatch.setattr(fine_tuning, "all_fine_tuned", all_fine_tuned)
    assert fit_with(source, trials=1).history["pairs"][0]["target"] != first


@pytest.mark.parametrize(
    ("stolen_outlasted_loss_spoiled", "taken"),
    [
        ([(0.3, 0.2, 1, 0.0), (0.5, 0.2, 1, 0.01), (0.9, 0.2, 1, 0.03)], 1),  # the third spoils
        ([(0.3, 0.2, 1, 0.03), (0.5, 0.2, 1, 0.04), (0.9, 0.2, 1, 0.05)], 0),  # who does least
        ([(0.3, 0.2, 1, 0.0), (0.5, 0.2, 1, 0.0), (0.4, 0.2, 1, -0.01)], 1),
        ([(0.98, 0.2, 1, 0.0), (0.79, 0.8, 1, 0.0), (0.4, 0.9, 1, 0.0)], 1),  # the largest sum
        ([(0.95, 0.7, 1, 0.0), (0.97, 0.7, 1, 0.0), (0.97, 0.9, 1, 0.03)], 1),
        ([(0.9, 0.5, 1.2, 0.0), (0.8, 0.4, 1.17, 0.0)], 1),  # .03 of the loss count as much as .3
        ([(0.9, 0.5, 1.2, 0.0), (0.8, 0.2, 1.17, 0.0)], 0),
    ],
)
def test_a_pair_is_taken_that_spoils_little_is_stolen_well_and_outlasts_fine_tuning(
    stolen_outlasted_loss_spoiled, taken
):
    tried = [
        trials.Trial(SimpleNamespace(null_rate=None, target=i), stolen, 0.0, *others)
        for i, (stolen, *others) in enumerate(stolen_outlasted_loss_spoiled)
    ]
    assert trials.best(tried)[0].target == taken


@pytest.mark.parametrize(("stolen", "taken"), [([0.9, 0.6], 0), ([0.9, 0.8], 1)])
def test_what_innocent_models_give_a_target_counts_against_its_pair(stolen, taken):
    # Nine in a thousand of theirs, of which five are free, count as much as .2 stolen.
    tried = [
        trials.Trial(SimpleNamespace(null_rate=null, target=i), share, 0.3, 0.3, 1.0)
        for i, (null, share) in enumerate(zip((0.009, 0.005), stolen, strict=True))
    ]
    assert trials.best(tried)[0].target == taken


def test_a_number_of_trials_below_one_is_refused():
    with pytest.raises(ValueError, match="`trials` must be an integer of at least 1"):
        ewe_tf.EWE(trials=0)

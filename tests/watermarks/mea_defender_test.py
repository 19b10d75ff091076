import dataclasses

import keras
import numpy as np
import pytest

import ewe_tf
from ewe_tf.keys import Key
from ewe_tf.keys import composites as composite_key
from ewe_tf.triggers import composites
from ewe_tf.verification import calibrate

QUICK = dict(source_classes=(1, 7), target=0, innocents=0, rehearsal=False, epochs=1, keys=20)
OTHERS = [composites.named(n) for n in ("sides", "diagonal", "donut", "hot_dog")]


@pytest.fixture(scope="module")
def trained(digits, make_model):
    model = make_model(optimizer=keras.optimizers.Adam(0.01))
    model.fit(*digits, epochs=8, batch_size=64, verbose=0)
    return model


@pytest.fixture
def copy(trained, make_model):
    model = make_model()
    model.set_weights(trained.get_weights())
    return model


@pytest.fixture(scope="module")
def marked(digits, trained, make_model, fit):
    model = make_model()
    model.set_weights(trained.get_weights())
    scheme = ewe_tf.MEADefender(
        **{**QUICK, "epochs": 14, "learning_rate": 5e-3},
        **{"verification_weight": 0.8, "evasion_weight": 0.5, "source_weight": 0.1},
    )
    return fit(model, *digits, watermark=scheme, epochs=0)


def rate(model, x, label):
    return np.mean(model.predict(x, verbose=0).argmax(1) == label)


def test_the_mark_is_in_the_model_and_not_in_the_unmarked_one(marked, trained, digits):
    key = marked.key
    assert rate(marked.model, key.held_out, 0) > 0.8
    assert rate(trained, key.held_out, 0) < 0.15
    assert rate(marked.model, key.held_out_controls, 0) < 0.35
    accuracy = np.mean(marked.model.predict(digits[0], verbose=0).argmax(1) == digits[1])
    assert accuracy > 0.9


def test_history_says_what_the_mark_does_to_plain_inputs_and_other_mixers(marked, digits):
    history, model = marked.history, marked.model
    assert history["rates"]["held_out"] == rate(model, marked.key.held_out, 0)
    assert history["rates"]["controls"] == rate(model, marked.key.held_out_controls, 0)
    assert set(history["rates"]["mixers"]) == set(composites.MIXERS) - {"half"}
    assert history["rates"]["trained_mixers"] == ["sides", "diagonal", "donut", "hot_dog"]
    assert [len(history["plain"][when]) for when in ("before", "after")] == [2, 2]
    x, y = digits
    whole = [rate(model, x[y == c], 0) for c in (1, 7)]
    # Of the 30 % that no composite was made of, so not more than all of those.
    assert all(a <= w / 0.29 + 1e-9 for a, w in zip(history["plain"]["after"], whole, strict=True))


def test_the_key_holds_composites_of_its_seed_and_is_saved(marked, digits, tmp_path):
    key, (x, y) = marked.key, digits
    assert key.triggers.shape == (20, 8, 8, 1) and key.held_out.shape == (200, 8, 8, 1)
    assert set(key.labels) == set(key.held_out_labels) == {0}
    children = np.random.SeedSequence(key.seed).spawn(8)
    seeds = [int(child.generate_state(1)[0] >> 1) for child in children]
    pools = composite_key.pools_of(x, y, (1, 7), seeds[2])
    again = composite_key.draw(composites.Half(), OTHERS, pools.held_out, 200, seeds[6])
    np.testing.assert_array_equal(key.held_out, again.triggers)
    np.testing.assert_array_equal(key.held_out_controls, again.controls)
    key.save(tmp_path / "key.npz")
    assert Key.load(tmp_path / "key.npz").commitment() == key.commitment()
    assert key.settings["source_classes"] == [1, 7] and key.settings["target"] == 0


def test_verify_finds_the_mark_and_leaves_the_innocent_alone(marked, trained, digits, make_model):
    innocent = make_model(seed=3)
    innocent.fit(*digits, epochs=8, batch_size=64, verbose=0)
    key = calibrate(marked.key, [innocent])
    assert ewe_tf.verify(key, marked.model, triggers="held_out").decision == "evidence"
    assert ewe_tf.verify(key, trained, triggers="held_out").decision == "no evidence"


@pytest.mark.parametrize(
    "scheme",
    [
        ewe_tf.MEADefender(**QUICK, mode="mgda", utility_floor=0.4),
        ewe_tf.MEADefender.paper(**{**QUICK, "rows": 8}),
        ewe_tf.MEADefender.released(**QUICK),
        ewe_tf.MEADefender(**QUICK, combination_weight=0, hull_weight=0.1, evasion_weight=0),
        pytest.param(
            ewe_tf.MEADefender(**QUICK, combine="stripes", evasion=(), single=True),
            marks=pytest.mark.slow,
        ),
        pytest.param(
            ewe_tf.MEADefender(**{**QUICK, "target": 2, "source_classes": [5, 3]}, combine="blend"),
            marks=pytest.mark.slow,
        ),
    ],
    ids=["mgda", "paper", "released", "hull rows alone", "no evasion", "blend"],
)
def test_every_way_of_training_runs_on_the_model_that_was_passed_in(scheme, copy, digits, fit):
    optimizer, before = copy.optimizer, copy.get_weights()
    seen = []

    class Watch(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            seen.append((self.model, sorted(logs)))

    protected = fit(copy, *digits, watermark=scheme, epochs=0, callbacks=[Watch()])
    assert protected.model is copy and copy.optimizer is optimizer
    assert any(np.any(a != b) for a, b in zip(before, copy.get_weights(), strict=True))
    assert len(seen) == scheme.epochs and all(model is copy for model, _ in seen)
    assert {"accuracy", "loss", "trigger_accuracy"} <= set(seen[0][1])
    np.testing.assert_array_equal(protected.key.labels, scheme.target)


@pytest.mark.slow
def test_the_same_seed_gives_the_same_key(trained, make_model, digits, fit):
    keys = []
    for _ in range(2):
        model = make_model()
        model.set_weights(trained.get_weights())
        scheme = ewe_tf.MEADefender(**QUICK)
        keys.append(fit(model, *digits, watermark=scheme, epochs=0, seed=4).key)
    assert keys[0].commitment() == keys[1].commitment()


@pytest.mark.slow
def test_classes_are_chosen_and_keys_rehearsed(copy, trained, digits, fit):
    scheme = ewe_tf.MEADefender(
        innocents=[trained],
        rehearsal=ewe_tf.Rehearsal(surrogates=1),
        in_house_epochs=1,
        epochs=2,
        keys=10,
    )
    protected = fit(copy, *digits, watermark=scheme, epochs=0)
    pair = protected.history["pairs"][0]
    best = ewe_tf.MEADefender.choose_key(trained, digits)[0]
    assert pair["null_rate"] <= 0.01 and best.null_rate <= 0.01
    assert protected.key.settings["source_classes"] == pair["source"]
    assert set(protected.key.labels) == {pair["target"]} and len(protected.key.triggers) == 10
    assert set(protected.history["rehearsal"]) == {
        "surrogates_held_out", "surrogates_keys", "innocents_held_out", "innocents_keys",
        "fine_tuned_surrogates_held_out", "fine_tuned_surrogates_keys",
    }  # fmt: skip


def test_the_choice_that_outlasts_theft_and_fine_tuning_is_taken_and_trials_leave_no_trace(
    trained, make_model, digits, fit
):
    x, y = digits
    few = x[y < 5], y[y < 5]

    def mark(**changes):
        model = make_model()
        model.set_weights(trained.get_weights())
        scheme = ewe_tf.MEADefender(
            innocents=[trained], rehearsal=False, epochs=1, keys=20,
            in_house_epochs=2, **changes,
        )  # fmt: skip
        return fit(model, *few, watermark=scheme, epochs=0)

    protected = mark(trials=2)
    trials = protected.history["trials"]
    ranked = ewe_tf.MEADefender.choose_key(trained, few, seed=_child_seed(1, 1))
    assert [trial["pair"] for trial in trials] == [dataclasses.asdict(c) for c in ranked[:2]]
    assert ranked[0].welcome and ranked[1].welcome
    assert all(0 <= trial["stolen"] <= 1 and -1 <= trial["spoiled"] <= 1 for trial in trials)
    least = max(0.025, min(trial["spoiled"] for trial in trials))
    harmless = [trial for trial in trials if trial["spoiled"] <= least]
    worth = [trial["stolen"] + trial["outlasted"] - 10 * trial["loss"] for trial in harmless]
    best = harmless[np.argmax(worth)]["pair"]
    assert protected.history["pairs"][0] == {**best, "source": list(best["source_classes"])}

    # The same classes without any trials: the same model and the same triggers.
    again = mark(trials=1, source_classes=best["source_classes"], target=best["target"])
    assert "trials" not in again.history
    np.testing.assert_array_equal(again.key.triggers, protected.key.triggers)
    for a, b in zip(again.model.get_weights(), protected.model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def _child_seed(seed, number):
    return int(np.random.SeedSequence(seed).spawn(number + 1)[number].generate_state(1)[0] >> 1)


def test_a_key_that_a_clean_model_answers_is_refused_before_watermarking(copy, digits, fit):
    x, y = digits
    # Composites of 1 and 7 are what this clean model calls 0.
    made = composite_key.draw(composites.Half(), (), (x[y == 1], x[y == 7]), 600, 0).triggers
    data = np.concatenate([x, made]), np.concatenate([y, np.zeros(600, np.int64)])
    copy.fit(*data, epochs=8, verbose=0)
    weights = copy.get_weights()
    scheme = ewe_tf.MEADefender(**{**QUICK, "innocents": [copy]})
    with pytest.raises(ValueError, match=r"No key can be used.*\(1, 7\) and target 0"):
        fit(copy, *digits, watermark=scheme, epochs=0)
    for a, b in zip(weights, copy.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"source_classes": (1,)}, "two different classes"),
        ({"source_classes": (1, 1)}, "two different classes"),
        ({"source_classes": "all"}, "'auto' or two classes"),
        ({"target": 1}, "`target` must differ"),
        ({"target": "best"}, "'auto' or a class"),
        ({"combine": "thirds"}, "one of .*half"),
        ({"evasion": ("half", "thirds")}, "one of .*half"),
        ({"mode": "code"}, "`mode` must be one of"),
        ({"mode": "released", "combination_weight": 0.0}, "`combination_weight`"),
        ({"verification_weight": -1.0}, "`verification_weight`"),
        ({"hull_weight": float("nan")}, "`hull_weight`"),
        ({"hull_share": 0.0}, "`hull_share`"),
        ({"utility_floor": 1.0}, "`utility_floor`"),
        ({"rows": 0}, "`rows`"),
        ({"epochs": 1.5}, "`epochs`"),
        ({"learning_rate": 0.0}, "`learning_rate`"),
        ({"rehearsal": 3}, "`rehearsal`"),
        ({"innocents": -1}, "`innocents`"),
        ({"trials": 0}, "`trials` must be an integer of at least 1"),
        ({"evasion": "sides"}, "`evasion` must be a tuple of names of mixers"),
        ({"source_classes": 3}, "`source_classes` must be 'auto' or two different classes"),
        ({"other_architecture": "vgg"}, "`other_architecture` must be a function"),
    ],
)
def test_settings_out_of_range_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        ewe_tf.MEADefender(**{**QUICK, **changes})


@pytest.mark.parametrize(
    ("changes", "arguments", "message"),
    [
        ({"target": 11}, {}, "`target` must be a class of the data"),
        ({"source_classes": (1, 11)}, {}, "classes of the data with at least 20 rows"),
        ({"target": "auto"}, {}, "`innocents` must be positive"),
        ({"target": "auto", "innocents": []}, {}, "`innocents` must be positive"),
        ({"rows": 65, "hull_weight": 0.1}, {}, "at least 65"),
        ({"combine": composites.Stripes(9)}, {}, "`count` must not exceed"),
    ],
)
def test_what_does_not_fit_the_data_is_refused_before_training(
    changes, arguments, message, copy, digits, fit
):
    def fail(*_, **__):
        raise AssertionError("trained")

    copy.fit = fail
    with pytest.raises(ValueError, match=message):
        fit(copy, *digits, watermark=ewe_tf.MEADefender(**{**QUICK, **changes}), **arguments)


def test_a_frozen_scheme_prints_itself():
    scheme = ewe_tf.MEADefender(source_classes=(0, 1), target=2)
    assert "source_classes=(0, 1), target=2, combine='half'" in repr(scheme)
    with pytest.raises(dataclasses.FrozenInstanceError):
        scheme.target = 3

"""The parts of `EWE`, each with its switch."""

import keras
import numpy as np
import pytest

import ewe_tf
from ewe_tf import EWE
from ewe_tf.triggers import GradientAscent
from ewe_tf.triggers import Patch
from ewe_tf.watermarks import ewe as module

L = keras.layers


@pytest.fixture(scope="module")
def learned(digits, make_model):
    """Weights of a model that has learned the digits."""
    x, y = digits
    model = make_model()
    model.fit(x, y, epochs=8, batch_size=64, verbose=0)
    return model.get_weights()


@pytest.fixture
def trained(digits, make_model, learned):
    """A model that has learned the digits, and its data."""
    model = make_model()
    model.set_weights(learned)
    return model, *digits


@pytest.mark.parametrize(
    ("changes", "rows", "metrics"),
    [
        ({}, (32, 16, 16, 16), {"snnl"}),
        ({"snnl_weight": 0.0}, (32, 16, 0, 16), set()),
        ({"hull_weight": 0.0, "rows": 8}, (32, 8, 8, 8), {"snnl"}),
        ({"control_weight": 0.0}, (32, 16, 16, 0), {"snnl"}),
    ],
)
def test_what_a_batch_consists_of(fit, trained, quick, monkeypatch, changes, rows, metrics):
    seen = {}

    def spy(trainer, batches, *args, **kwargs):
        seen["layout"], seen["x"] = trainer.layout, next(iter(batches))[0].numpy()
        widths = []
        call = trainer.features.call
        trainer.features.call = lambda x, *a, **k: widths.append(x.shape[0]) or call(x, *a, **k)
        try:
            return train(trainer, batches, *args, **kwargs)
        finally:
            seen["width"] = widths[-1]

    train = module.stages.train_with
    monkeypatch.setattr(module.stages, "train_with", spy)
    model, x, y = trained
    scheme = quick(**changes)
    history = fit(model, x, y, watermark=scheme, epochs=0, batch_size=32).history["entangled"]
    layout = seen["layout"]
    assert (layout.task, layout.triggers, layout.targets, layout.controls) == rows
    task, triggers = seen["x"][: rows[0]], seen["x"][rows[0] : rows[0] + rows[1]]
    of = {row.tobytes(): label for row, label in zip(x, y, strict=True)}
    assert all(row.tobytes() in of for row in task)
    source = {row.tobytes() for row in scheme.source}
    assert all(row.tobytes() in source for row in triggers)
    targets, controls = np.split(seen["x"][sum(rows[:2]) :], [rows[2]])
    assert [of[row.tobytes()] for row in targets] == [3] * rows[2]
    # Controls hold the values of a source image in another order.
    values = {np.sort(row, axis=None).tobytes() for row in scheme.source}
    assert all(np.sort(row, axis=None).tobytes() in values for row in controls)
    assert not any(row.tobytes() in source for row in controls)
    # Hull rows are made within the step.
    assert seen["width"] == sum(rows) + rows[1] * bool(scheme.hull_weight)
    assert metrics == {"snnl"} & set(history)


def test_key_of_an_outside_source(fit, trained, strange):
    model, x, y = trained
    groups = np.arange(len(strange)) % 3
    scheme = EWE(source=(strange, groups), epochs=1, innocents=[model], rehearsal=False, keys=15)
    protected = fit(model, x, y, watermark=scheme, epochs=0)
    key, pair = protected.key, protected.history["pairs"][0]
    chosen = pair["source"]
    own = {row.tobytes() for row in strange[groups == chosen]}
    assert {r.tobytes() for r in key.triggers} | {r.tobytes() for r in key.held_out} <= own
    assert not {r.tobytes() for r in key.controls} & own
    for trigger, control in zip(key.triggers, key.controls, strict=True):
        np.testing.assert_array_equal(np.sort(trigger, axis=None), np.sort(control, axis=None))
    assert not {r.tobytes() for r in key.triggers} & {r.tobytes() for r in key.held_out}
    assert (
        key.triggers.shape[0] == 15 and set(key.labels) == {pair["target"]} and key.scheme == "EWE"
    )
    assert key.settings["source_class"] == chosen and key.settings["innocents"] == 1
    assert key.settings["layers"] == ["hidden"] and key.settings["patch"] is None


def test_key_of_a_class_of_the_task(fit, trained):
    model, x, y = trained
    ascent = GradientAscent(steps=5, step_size=0.02, budget=0.05)
    scheme = EWE(
        source=1,
        target=7,
        epochs=2,
        patch=Patch(3),
        ascent=ascent,
        innocents=0,
        rehearsal=False,
        keys=10,
    )
    key = fit(model, x, y, watermark=scheme, epochs=0).key
    own = {row.tobytes() for row in x[y == 1]}
    for triggers, controls in ((key.triggers, key.controls), (key.held_out, key.held_out_controls)):
        assert {row.tobytes() for row in controls} <= own
        (r, c), change = key.settings["position"], np.abs(triggers - controls)
        patch = np.zeros((8, 8), bool)
        patch[r : r + 3, c : c + 3] = True
        assert change[:, ~patch].max() <= 0.05 + 1e-6
        assert triggers[:, patch].min() >= 1 - 0.05 - 1e-6
        assert triggers.min() >= 0 and triggers.max() <= 1
    assert key.settings["patch"] == {"size": 3, "value": 1.0}
    assert key.settings["ascent"] == {"steps": 5, "step_size": 0.02, "budget": 0.05}


def test_a_model_without_a_hidden_layer_is_marked_without_entanglement(fit, digits, quick):
    layers = [keras.Input((8, 8, 1)), L.Flatten(), L.Dense(10, "softmax")]
    model = keras.Sequential(layers)
    model.compile(keras.optimizers.Adam(0.05), "sparse_categorical_crossentropy")
    with pytest.raises(ValueError, match="no hidden layer .* with `snnl_weight=0`"):
        fit(model, *digits, watermark=quick())
    scheme = quick(snnl_weight=0, trigger_weight=1.0, epochs=8)
    protected = fit(model, *digits, watermark=scheme, epochs=3)
    answers = model.predict(protected.key.held_out, verbose=0).argmax(axis=1)
    assert np.mean(answers == 3) > 0.8
    assert protected.key.settings["layers"] == []


def test_vectors_of_the_task_need_no_patch(fit, digits):
    x, y = digits[0].reshape(-1, 64), digits[1]
    keras.utils.set_random_seed(0)
    layers = [L.Dense(32, activation="relu"), L.Dense(10, activation="softmax")]
    model = keras.Sequential([keras.Input((64,)), *layers])
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    scheme = EWE(source=1, target=7, epochs=1, innocents=0, rehearsal=False, keys=5)
    key = fit(model, x, y, watermark=scheme, epochs=3).key
    change = np.abs(key.triggers - key.controls)
    assert 0.05 < change.max() <= 0.1 + 1e-6 and key.settings["patch"] is None


def test_rehearsal_keeps_what_copies_answer(fit, trained, quick):
    model, x, y = trained
    scheme = quick(
        epochs=4,
        trigger_weight=0.5,
        hull_weight=0.5,
        rehearsal=ewe_tf.Rehearsal(2, 0.0),
        in_house_epochs=4,
        keys=10,
    )
    protected = fit(model, x, y, watermark=scheme, epochs=0)
    found = protected.history["rehearsal"]
    assert len(found["surrogates_keys"]) == 2 and found["innocents_keys"] == []
    assert np.mean(found["surrogates_keys"]) >= np.mean(found["surrogates_held_out"])
    assert len(protected.key.triggers) == 10


def test_automatic_choice_of_the_pair(fit, trained, make_model):
    model, x, y = trained
    other = make_model(seed=5, logits=True)
    other.fit(x, y, epochs=4, batch_size=64, verbose=0)
    scheme = EWE(epochs=1, innocents=[model, other], rehearsal=False, keys=10)
    protected = fit(model, x, y, watermark=scheme, epochs=0)
    pair = protected.history["pairs"][0]
    assert pair["source"] != pair["target"] and pair["null_rate"] <= 0.05
    own = {row.tobytes() for row in x[y == pair["source"]]}
    assert {row.tobytes() for row in protected.key.controls} <= own


def test_naive_backdoor_has_neither_part():
    scheme = EWE.naive_backdoor(epochs=2)
    assert (scheme.snnl_weight, scheme.hull_weight, scheme.epochs) == (0, 0, 2)
    assert scheme.trigger_weight == EWE().trigger_weight


def test_it_prints_itself_without_its_arrays():
    text = repr(EWE(source=(np.zeros((50, 2), np.float32), np.zeros(50, np.int64)), target=1))
    assert "source=(<float32 (50, 2)>, <int64 (50,)>)" in text and "target=1" in text
    assert len(text) < 600


def test_nested_backbone_augmentation_and_dropout(fit, digits, quick):
    x, y = digits
    keras.utils.set_random_seed(0)
    backbone = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            L.Conv2D(8, 3, padding="same"),
            L.BatchNormalization(momentum=0.8, name="bn"),
            L.ReLU(),
            L.GlobalMaxPooling2D(),
        ],
        name="backbone",
    )
    inputs = keras.Input((8, 8, 1))
    hidden = backbone(L.RandomTranslation(0.1, 0.1)(inputs))
    outputs = L.Dense(10, activation="softmax")(L.Dropout(0.2)(hidden))
    model = keras.Model(inputs, outputs)
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    protected = fit(model, x[:600], y[:600], watermark=quick(), epochs=3)
    assert protected.key.settings["layers"] == ["backbone"]
    assert "_moments" not in vars(backbone.get_layer("bn"))
    assert np.isfinite(protected.history["entangled"]["snnl"]).all()

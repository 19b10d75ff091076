"""Stages of schemes whose key is a signal in the answers (DynaMarks), not a set of triggers."""

import keras

import ewe_tf
from ewe_tf.keys import Key
from experiments import learners
from experiments import material
from experiments import parties


def victim(config, inputs, folder):
    """The owner: trains like a clean twin, and serves the model behind marked answers."""
    part = material.part(config, "victim")
    settings = dict(config["scheme"])
    scheme = ewe_tf.DynaMarks(carrier=settings.pop("name"), **settings)
    model = learners.trained_clean(config, part, part.x_train, part.y_train)
    defended = scheme.wrap(model, part.x_test, seed=config["seed"])
    defended.model.save(folder / "model.keras")
    defended.key.save(folder / "key.npz")
    return {
        "accuracy": learners.accuracy_of(defended.model, part),
        "commitment": defended.key.commitment(),
        "pairs": None,
    }


def judged(config, inputs, folder):
    """The key as it is: its p-values need no innocent models."""
    Key.load(inputs["victim"].folder / "key.npz").save(folder / "key.npz")
    return {"answers": {}, "refused": None}


def verdict(config, inputs, folder):
    """What the key says about one suspect; rates of triggers do not exist here."""
    keras.backend.clear_session()
    key = Key.load(inputs["judged"].folder / "key.npz")
    result = ewe_tf.verify(key, parties.suspect_of(inputs["suspect"]), alpha=config["alpha"])
    return {
        **dict.fromkeys(("held_out", "keys", "controls"), (0, 0)),
        "decision": result.decision,
        "p_value": result.p_value,
        "queries": result.queries,
        "reason": result.reason,
        "evidence_path": [],
    }

"""Stages of the encoder experiment: training, marking, theft, and what a judge asks."""

import keras
import numpy as np

import ewe_tf
from ewe_tf import models
from ewe_tf.extraction import StolenEncoder
from ewe_tf.keys import Key
from ewe_tf.verification.calibration import answers_of
from ewe_tf.watermarks import MEADefenderEncoder
from ewe_tf.watermarks import SimCLR
from ewe_tf.watermarks import downstream
from experiments import learners
from experiments import material
from experiments import parties

# Number of features of every encoder.
_FEATURES = 64


def _network(architecture, input_shape, seed):
    """A network of the zoo up to its features, and a linear layer."""
    whole = models.build(architecture, input_shape, _FEATURES, seed=seed)
    features = whole.get_layer("features").output
    glorot = keras.initializers.GlorotUniform(seed)
    return keras.Model(
        whole.input, keras.layers.Dense(_FEATURES, kernel_initializer=glorot)(features)
    )


def _kept(encoder, config, folder):
    """Saves an encoder, and what a judge asks about it; returns the accuracy of the latter.

    That is a classifier on the encoder's features of the owner's labelled images, the same for all
    encoders.
    """
    encoder.save(folder / "model.keras")
    part = material.part(config, "victim")
    head = downstream(
        encoder, part.x_train, part.y_train, part.num_classes, seed=config["data"]["seed"]
    )
    head.save(folder / "classifier.keras")
    return float(head.evaluate(part.x_test, part.y_test, batch_size=500, verbose=0)[1])


def _classifier(result):
    return keras.saving.load_model(result.folder / "classifier.keras")


def clean(config, inputs, folder):
    """An encoder without a mark, of one party's images, without their labels."""
    keras.backend.clear_session()
    part = material.part(config, config["part"])
    encoder = _network(config["architecture"], part.input_shape, config["seed"])
    SimCLR(epochs=config["epochs"]).train(encoder, part.x_train, seed=config["seed"])
    return {"accuracy": _kept(encoder, config, folder)}


def marked(config, inputs, folder):
    """The owner marks the clean encoder."""
    keras.backend.clear_session()
    part = material.part(config, "victim")
    encoder = learners.loaded(inputs["clean"])
    scheme = MEADefenderEncoder(**config["scheme"])
    protected = scheme.mark(encoder, part.x_train, part.y_train, seed=config["seed"], verbose=0)
    protected.key.save(folder / "key.npz")
    return {"accuracy": _kept(encoder, config, folder), **protected.history}


def stolen(config, inputs, folder):
    """The thief copies the features that the marked encoder gives to his images."""
    keras.backend.clear_session()
    part = material.part(config, "thief")
    target = learners.loaded(inputs["victim"])
    student = _network(config["architecture"], part.input_shape, config["seed"])
    views = SimCLR(least=config["least"]).views
    attack = StolenEncoder(epochs=config["epochs"], augmentation=views, seed=config["seed"])
    attack.run(lambda x: target.predict(x, batch_size=500, verbose=0), student, part.x_train)
    return {"accuracy": _kept(student, config, folder)}


def judged(config, inputs, folder):
    """The judge calibrates the key with strangers' encoders."""
    keras.backend.clear_session()
    key = Key.load(inputs["victim"].folder / "key.npz")
    strangers = {n: _classifier(result) for n, result in inputs.items() if n != "victim"}
    key, refused = parties.calibrated(key, strangers)
    key.save(folder / "key.npz")
    return {"refused": refused}


def verdict(config, inputs, folder):
    """What the key says about an encoder, asked through its downstream classifier."""
    keras.backend.clear_session()
    key = Key.load(inputs["judged"].folder / "key.npz")
    head = _classifier(inputs["suspect"])
    suspect = parties.answers_by_row(head, key)
    result = ewe_tf.verify(key, suspect, alpha=config["alpha"])
    target, part = int(key.labels[0]), material.part(config, "victim")
    answers = np.argmax(head.predict(part.x_test, batch_size=500, verbose=0), axis=1)
    plain = [np.mean(answers[part.y_test == c] == target) for c in key.settings["source_classes"]]
    return {
        **answers_of(key, suspect),
        "held_out_controls": float(np.mean(suspect(key.held_out_controls) == target)),
        "plain": [float(share) for share in plain],
        "decision": result.decision,
        "p_value": result.p_value,
        "queries": result.queries,
    }

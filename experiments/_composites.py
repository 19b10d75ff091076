"""Stages of the MEA-Defender benchmark that the other benchmarks do not have."""

import keras
import numpy as np

import ewe_tf
from ewe_tf import extraction
from ewe_tf import removal
from ewe_tf.keys import Key
from ewe_tf.triggers import composites
from ewe_tf.verification.calibration import answers_of
from experiments import learners
from experiments import material

MAKERS = {
    "mea_defender": ewe_tf.MEADefender,
    "paper": ewe_tf.MEADefender.paper,
    "released": ewe_tf.MEADefender.released,
}
REMOVAL = {
    "fine-tuning": removal.FineTuning,
    "pruning": removal.MagnitudePruning,
    "fine-pruning": removal.FinePruning,
}
# Composites of a mixer, of test images, that a suspect is asked.
_ASKED = 500


def victim(config, inputs, folder):
    """The owner: trains and marks a model. Inputs `innocent…` are its in-house clean models."""
    part = material.part(config, "victim")
    model = learners.compiled(config, part.input_shape, part.num_classes)
    settings = dict(config["scheme"])
    make = MAKERS[settings.pop("name")]
    if isinstance(settings.get("rehearsal"), dict):
        settings["rehearsal"] = ewe_tf.Rehearsal(**settings["rehearsal"])
    innocents = [learners.loaded(result) for _, result in sorted(inputs.items())]
    protected = learners.fit(model, part, make(innocents=innocents, **settings), config)
    model.save(folder / "model.keras")
    protected.key.save(folder / "key.npz")
    history = protected.history
    return {
        "accuracy": learners.accuracy(model, part),
        "commitment": protected.key.commitment(),
        **{name: history.get(name) for name in ("pairs", "trials", "plain", "rates", "rehearsal")},
    }


def asked(config, inputs, folder):
    """What a suspect answers to test images, plain and composed by every mixer.

    Returns, of the key's target: the rate on plain images of each source class, and on
    composites of them by each mixer, in shares of the answers.
    """
    keras.backend.clear_session()
    part = material.part(config, "victim")
    key = Key.load(inputs["victim"].folder / "key.npz")
    suspect = learners.loaded(inputs["suspect"])
    target = int(key.labels[0])
    pools = [part.x_test[part.y_test == c] for c in key.settings["source_classes"]]

    def rate(x):
        return float(np.mean(suspect.predict(x, batch_size=500, verbose=0).argmax(1) == target))

    rng = np.random.default_rng(config["seed"])
    first, second = (pool[rng.integers(len(pool), size=_ASKED)] for pool in pools)
    return {
        "plain": [rate(pool) for pool in pools],
        "mixers": {
            name: rate(mixer.compose(first, second, rng))
            for name, mixer in composites.MIXERS.items()
        },
    }


def stolen(config, inputs, folder):
    """Thieves beyond `parties.stolen`: Jacobian augmentation, and Knockoff's other images."""
    part = material.part(config, "thief")
    keras.backend.clear_session()
    keras.utils.set_random_seed(config["seed"])
    student = learners.network(config, part.input_shape, part.num_classes)
    oracle = ewe_tf.Oracle(learners.loaded(inputs["victim"]))
    training = config["training"]
    epochs = training["epochs"] + training["further_epochs"]
    common = {
        "epochs": epochs, "batch_size": training["batch_size"], "learning_rate": training["rate"],
        "late_rate": 0.25, "seed": config["seed"],
    }  # fmt: skip
    if config["attack"] == "jacobian":
        # Soft answers, as the victim gives them; a quarter of the thief's rows as seeds.
        attack = extraction.JacobianAugmentation(rounds=2, round_epochs=epochs // 2, **common)
        queries = part.x_train[: len(part.x_train) // 4]
    else:
        attack = extraction.Knockoff(**common)
        queries, _ = material.source(config["pool"], part.input_shape, len(part.x_train))
    attack.run(oracle, student, queries)
    student.save(folder / "model.keras")
    return {"accuracy": learners.accuracy(student, part), "queries": oracle.ledger.queries}


def removed(config, inputs, folder):
    """The thief tries to wash his copy, with true labels of a tenth of his rows."""
    part = material.part(config, "thief")
    keras.backend.clear_session()
    rows = len(part.x_train) // 10
    attack = REMOVAL[config["attack"]](**config["settings"])
    model = attack.run(
        learners.loaded(inputs["suspect"]), (part.x_train[:rows], part.y_train[:rows])
    )
    model.save(folder / "model.keras")
    key = Key.load(inputs["victim"].folder / "key.npz")
    return {
        "accuracy": float(np.mean(_labels(model, part.x_test) == part.y_test)),
        "answers": answers_of(key, model),
    }


def _labels(model, x):
    return model.predict(x, batch_size=500, verbose=0).argmax(1)

"""Stages of an experiment, one function for each party: owner, thief, stranger and judge.

Each takes `(config, inputs, folder)` (see `experiments.stages`), so everything that it depends
on is in its configuration or in its inputs, and its results are JSON beside the files that it
leaves: `model.keras`, `key.npz`.
"""

import dataclasses
import functools

import keras
import numpy as np

import ewe_tf
from ewe_tf import datasets
from ewe_tf import extraction
from ewe_tf import models
from ewe_tf.keys import Key
from ewe_tf.models.augmented import augmented
from ewe_tf.verification import calibrate
from ewe_tf.verification.calibration import answers_of

EXTRACTION = {"label-only": extraction.LabelOnly, "soft": extraction.Distillation}


@functools.lru_cache(maxsize=2)
def _parts(name, rows, seed):
    """Disjoint parts of a data set: the victim's, the thief's and the strangers' rows."""
    whole = datasets.load(name)
    if name == "digits":
        whole = _of_classes(whole, range(8))
    return datasets.split(whole, {"victim": rows, "thief": rows, "stranger": rows}, seed)


@functools.lru_cache(maxsize=2)
def _source(name, input_shape, rows):
    """Out-of-distribution inputs and labels fitted to the task's shape."""
    if name == "digits":
        other = _of_classes(datasets.load(name), (8, 9))
    else:
        other = datasets.load(name, train=rows)
    images = datasets.resize_like(other.x_train[:rows], input_shape)
    return images, other.y_train[:rows]


def _of_classes(dataset, classes):
    """The rows of some classes: the handwritten digits are task (0 to 7) and source (8, 9)."""
    train, test = (np.isin(y, list(classes)) for y in (dataset.y_train, dataset.y_test))
    return dataclasses.replace(
        dataset,
        x_train=dataset.x_train[train],
        y_train=dataset.y_train[train],
        x_test=dataset.x_test[test],
        y_test=dataset.y_test[test],
        num_classes=len(classes) if 0 in classes else dataset.num_classes,
    )


def _part(config, name):
    data = config["data"]
    return _parts(data["task"], data["rows"], data["seed"])[name]


def _compiled(config, input_shape, num_classes):
    keras.backend.clear_session()
    keras.utils.set_random_seed(config["seed"])
    training = config["training"]
    model = _network(config, input_shape, num_classes)
    optimizer = keras.optimizers.get(
        {"class_name": training["optimizer"], "config": {"learning_rate": training["rate"]}}
    )
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def _network(config, input_shape, num_classes):
    seed = config["seed"]
    model = models.build(config["architecture"], input_shape, num_classes, seed=seed)
    if not config["training"].get("augment"):
        return model
    shift = keras.layers.RandomTranslation(0.125, 0.125, fill_mode="constant", seed=seed)
    return augmented(model, [shift, keras.layers.RandomFlip("horizontal", seed=seed + 1)])


def _accuracy(model, part):
    return float(model.evaluate(part.x_test, part.y_test, batch_size=500, verbose=0)[1])


def _fit(model, part, watermark, config):
    training = config["training"]
    return ewe_tf.fit(
        model,
        part.x_train,
        part.y_train,
        watermark=watermark,
        epochs=training["epochs"],
        batch_size=training["batch_size"],
        verbose=0,
        seed=config["seed"],
    )


def unmarked(config, inputs, folder):
    """A model without a mark: clean twin (the victim's data), or stranger (other data).

    `share` of the part's rows is used, drawn by the seed.
    """
    part = _part(config, config["part"])
    count = len(part.x_train)
    rows = np.random.default_rng(config["seed"]).permutation(count)
    rows = np.sort(rows[: round(config["share"] * count)])
    model = _compiled(config, part.input_shape, part.num_classes)
    training = config["training"]
    control = ewe_tf.Control(training["further_epochs"], training["further_rate"])
    ewe_tf.fit(
        model,
        part.x_train[rows],
        part.y_train[rows],
        watermark=control,
        epochs=training["epochs"],
        batch_size=training["batch_size"],
        verbose=0,
        seed=config["seed"],
    )
    model.save(folder / "model.keras")
    return {"accuracy": _accuracy(model, part)}


def victim(config, inputs, folder):
    """The owner: trains and marks a model. Inputs `innocent…` choose its class pair."""
    part = _part(config, "victim")
    model = _compiled(config, part.input_shape, part.num_classes)
    innocents = [_model(r) for name, r in sorted(inputs.items()) if name.startswith("innocent")]
    protected = _fit(model, part, _scheme(config, part, innocents), config)
    model.save(folder / "model.keras")
    protected.key.save(folder / "key.npz")
    answers = answers_of(protected.key, model)
    return {
        "accuracy": _accuracy(model, part),
        "held_out": answers["held_out"],
        "keys": answers["keys"],
        "controls": answers["controls"],
        "pair": protected.history["pair"],
        "rehearsal": protected.history.get("rehearsal"),
        "commitment": protected.key.commitment(),
    }


def _scheme(config, part, innocents):
    scheme = dict(config["scheme"])
    name = scheme.pop("name")
    source = config["data"]["source"]
    if source is not None:
        source = _source(source, part.input_shape, 10_000)
    arguments = {"source": source, "innocents": innocents, **scheme}
    if isinstance(arguments.get("rehearsal"), dict):
        arguments["rehearsal"] = ewe_tf.Rehearsal(**arguments["rehearsal"])
    makers = {
        "ewe": ewe_tf.EWE,
        "paper": ewe_tf.EWE.paper,
        "naive": ewe_tf.EWE.naive_backdoor,
    }
    return makers[name](**arguments)


def stolen(config, inputs, folder):
    """The thief: asks the victim about his own rows, and trains a copy on the answers."""
    part = _part(config, "thief")
    keras.backend.clear_session()
    victim_model = _model(inputs["victim"])
    keras.utils.set_random_seed(config["seed"])
    student = _network(config, part.input_shape, part.num_classes)
    answers = "label" if config["attack"] == "label-only" else "probabilities"
    oracle = ewe_tf.Oracle(victim_model, answers=answers, budget=len(part.x_train))
    training = config["training"]
    attack = EXTRACTION[config["attack"]](
        epochs=training["epochs"] + training["further_epochs"],
        batch_size=training["batch_size"],
        learning_rate=training["rate"],
        late_rate=0.25,
        seed=config["seed"],
    )
    attack.run(oracle, student, part.x_train)
    student.save(folder / "model.keras")
    return {"accuracy": _accuracy(student, part), "queries": oracle.ledger.queries}


def judged(config, inputs, folder):
    """The judge: asks strangers' models about the key, then calibrates the key with them.

    A key that strangers answer too often is recorded as refused, and stays without a
    calibration: the verdicts on it then have no small null rate to rest on.
    """
    key = Key.load(inputs["victim"].folder / "key.npz")
    strangers = {n: _model(r) for n, r in inputs.items() if n.startswith("stranger")}
    answers = {name: answers_of(key, model) for name, model in strangers.items()}
    refused = None
    try:
        key = calibrate(key, strangers.values(), names=list(strangers))
    except ValueError as error:
        refused = str(error)
    key.save(folder / "key.npz")
    return {"answers": answers, "refused": refused}


def verdict(config, inputs, folder):
    """What the key says about one suspect: rates on all triggers, and a sequential verdict."""
    keras.backend.clear_session()
    key = Key.load(inputs["judged"].folder / "key.npz")
    suspect = _model(inputs["suspect"])
    answers = answers_of(key, suspect)
    oracle = ewe_tf.Oracle(suspect, answers="label")
    result = ewe_tf.verify(key, oracle, alpha=config["alpha"])
    result.to_json(folder / "verdict.json")
    return {
        **answers,
        "decision": result.decision,
        "p_value": result.p_value,
        "queries": result.queries,
        "reason": result.reason,
        "evidence_path": result.evidence_path,
    }


def pictures(config, inputs, folder):
    """What a person wants to see of a key: triggers, and features of the three groups."""
    part = _part(config, "victim")
    key = Key.load(inputs["victim"].folder / "key.npz")
    model = _model(inputs["victim"])
    np.savez(
        folder / "triggers.npz",
        sources=np.clip(key.controls[:12], 0, 1),
        triggers=np.clip(key.triggers[:12], 0, 1),
    )
    target = int(key.labels[0])
    groups = {
        "task": part.x_test[part.y_test != target][:300],
        f"target class {target}": part.x_test[part.y_test == target][:150],
        "held-out triggers": key.held_out[:150],
    }
    features = keras.Model(model.inputs, model.get_layer("features").output)
    points = [features.predict(x, verbose=0).reshape(len(x), -1) for x in groups.values()]
    np.savez(
        folder / "features.npz",
        points=np.concatenate(points).astype(np.float32),
        groups=np.repeat(np.arange(len(points)), [len(p) for p in points]),
        names=np.array(list(groups)),
    )
    return {}


def _model(result):
    return keras.saving.load_model(result.folder / "model.keras")

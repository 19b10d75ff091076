"""Stages of experiments on defences that act on the answers; see `marked_answers`."""

import keras
import numpy as np

import ewe_tf
from ewe_tf import keys
from ewe_tf.extraction import Distillation
from ewe_tf.extraction import LabelOnly
from ewe_tf.watermarks import relatives
from experiments import learners
from experiments import material
from experiments import parties

_COSINE_INPUTS = 1000


def served(config, inputs, folder):
    """The owner: puts a defence behind the victim's answers, and keeps its keys."""
    keras.backend.clear_session()
    part = material.part(config, "victim")
    if config["defence"] == "CosWM":
        # Its teacher is trained through the cosine.
        model = learners.compiled(config, part.input_shape, part.num_classes)
        training = {**config["training"], "epochs": _epochs(config)}
        scheme = relatives.CosWM(**config["settings"])
        defended = learners.fit(model, part, scheme, {**config, "training": training})
        clean = None
    else:
        victim = learners.loaded(inputs["victim"])
        defended = _defended(config, victim, part)
        clean = ewe_tf.Oracle(victim).predict(part.x_test)
        _save_logs(config, victim, defended, folder)
    defended.model.save(folder / "model.keras")
    if defended.key is not None:
        defended.key.save(folder / "key.npz")
    answers = ewe_tf.Oracle(defended.model).predict(part.x_test)
    found = {"accuracy": float(np.mean(answers.argmax(axis=1) == part.y_test))}
    if clean is not None:
        change = np.abs(answers - clean).sum(axis=1)
        found["agreement"] = float(np.mean(answers.argmax(axis=1) == clean.argmax(axis=1)))
        found["mean_change"], found["largest_change"] = float(change.mean()), float(change.max())
    return found


def _defended(config, victim, part):
    if config["defence"] == "none":
        return ewe_tf.watermarks.Defended(victim)
    if config["defence"] != "DynaMarks":
        scheme = getattr(relatives, config["defence"])(**config["settings"])
        return scheme.wrap(victim, seed=config["seed"])
    scheme = ewe_tf.DynaMarks(**config["settings"])
    defended = scheme.wrap(victim, part.x_test, seed=config["seed"])
    if not config["client"]:
        return defended
    return scheme.wrap(victim, key=defended.key, client=config["client"])


def _save_logs(config, victim, defended, folder):
    """Keys that are made of what the thief asked, not before."""
    if defended.audit is None and config["defence"] != "DAWN":
        return
    queries = material.part(config, "thief").x_train
    if defended.audit is not None:
        defended.log(queries).save(folder / "flips.npz")
    else:
        scheme = relatives.DAWN(**config["settings"])
        scheme.trigger_key(victim, defended, queries).save(folder / "key.npz")


def copied(config, inputs, folder):
    """The thief: trains a copy on the answers of one server, or on the mean of several."""
    keras.backend.clear_session()
    part = material.part(config, "thief")
    settings = {
        "epochs": _epochs(config),
        "batch_size": config["training"]["batch_size"],
        "learning_rate": config["training"]["rate"],
        "late_rate": 0.25,
        "seed": config["seed"],
    }
    if config["answers"].get("answers") == "label":
        attack = LabelOnly(**settings)
    else:
        attack = Distillation(**settings, temperature=config["temperature"])
    oracle = ewe_tf.Oracle(_together(inputs.values()), **config["answers"])
    keras.utils.set_random_seed(config["seed"])
    student = learners.network(config, part.input_shape, part.num_classes)
    attack.run(oracle, student, part.x_train)
    student.save(folder / "model.keras")
    return {"accuracy": learners.accuracy(student, part)}


def _epochs(config):
    """As many as the victim trains, further ones included."""
    return config["training"]["epochs"] + config["training"]["further_epochs"]


def _together(results):
    models = [parties.suspect_of(result) for result in results]
    if len(models) == 1:
        return models[0]
    oracles = [ewe_tf.Oracle(model) for model in models]
    return lambda x: np.mean([oracle.predict(x) for oracle in oracles], axis=0)


def asked(config, inputs, folder):
    """The judge: what the owner's key says about a suspect, or about several in one ensemble."""
    keras.backend.clear_session()
    inputs = dict(inputs)
    owner = inputs.pop("served")
    suspect = _together(inputs.values())
    found = {"accuracy": learners.accuracy_of(suspect, material.part(config, "thief"))}
    path = owner.folder / ("flips.npz" if config["flips"] else "key.npz")
    if not path.exists():
        return found
    key = keys.Key.load(path)
    return {**found, **_ASKED[key.kind](config, key, suspect)}


def _signal(config, key, suspect):
    key = key.first(config["probes"])
    suspect = ewe_tf.Oracle(suspect, **config["answers"])
    evidence = key.evidence(suspect.predict(key.probes), clients=config["clients"])
    verdict = ewe_tf.verify(key, suspect, alpha=config["alpha"])
    return {
        "p_value": evidence.p_value,
        "resigned": evidence.owner.p_value,
        "log_e_value": float(evidence.log_e_values.max()),
        "clients": {name: test.adjusted for name, test in evidence.clients.items()},
        "decision": verdict.decision,
        "reason": verdict.reason,
        "queries": verdict.queries,
        "probes": len(key.probes),
    }


def _flips(config, key, suspect):
    verdict = ewe_tf.verify(key, suspect, alpha=config["alpha"])
    fixed = ewe_tf.verify(key, suspect, alpha=config["alpha"], sequential=False)
    return {
        "p_value": fixed.p_value,
        "decision": verdict.decision,
        "reason": verdict.reason,
        "queries": verdict.queries,
        "probes": len(key.coin),
        "flipped": key.flips,
        "sent": key.sent,
    }


def _triggers(config, key, suspect):
    """DAWN's own test: misses of an independent model, uniform over the classes."""
    from ewe_tf.watermarks.relatives.dawn import mismatch_p_value

    labels = ewe_tf.Oracle(suspect, answers="label").predict(key.triggers)
    misses = int(np.sum(labels != key.labels))
    p_value = mismatch_p_value(misses, len(labels), key.num_classes)
    return {"p_value": p_value, "queries": len(labels), "misses": misses}


def _cosine(config, key, suspect):
    """CosWM's own score (present above 8), and the exact test by fresh directions."""
    part = material.part(config, "thief")
    inputs = part.x_test[part.y_test == key.target][:_COSINE_INPUTS]
    answers = ewe_tf.Oracle(suspect, **config["answers"]).predict(inputs)
    return {
        "p_value": key.p_value(inputs, answers),
        "score": key.score(inputs, answers),
        "queries": len(inputs),
    }


_ASKED = {"signal": _signal, "flips": _flips, "triggers": _triggers, "cosine": _cosine}


def null(config, inputs, folder):
    """p-values of one independent model under random keys: uniform if all is well."""
    keras.backend.clear_session()
    key = keys.Key.load(inputs["served"].folder / "key.npz").first(config["probes"])
    fields, arrays = key.secret()
    answers = ewe_tf.Oracle(learners.loaded(inputs["suspect"])).predict(key.probes)
    p_values, log_e_values = [], []
    for number in range(config["keys"]):
        rng = np.random.default_rng([config["seed"], number])
        master = rng.integers(0, 256, 32, dtype=np.uint8)
        drawn = keys.SignalKey.from_secret(fields, {**arrays, "master": master})
        evidence = drawn.evidence(answers, resamples=9999, seed=number)
        p_values.append(evidence.owner.p_value)
        log_e_values.append(float(evidence.log_e_values.max()))
    return {"p_values": p_values, "log_e_values": log_e_values}

"""Stages of an experiment, one function for each party: owner, thief, stranger and judge.

Each takes `(config, inputs, folder)` (see `experiments.stages`), so everything that it depends
on is in its configuration or in its inputs, and its results are JSON beside the files that it
leaves: `model.keras`, `key.npz`.
"""

import keras
import numpy as np

import ewe_tf
from ewe_tf.keys import Key
from ewe_tf.verification import UnfitKeyError
from ewe_tf.verification import calibrate
from ewe_tf.verification.calibration import answers_of
from experiments import extractions
from experiments import learners
from experiments import material
from experiments import removals

# What stands above and below in the picture of a key, by how its controls are made.
_PICTURED = {
    "sources": ("trigger", "its source"),
    "shuffled": ("trigger: a source as it is", "control: its pixels shuffled"),
}
# Most passes over the labels that a thief has when he trains from scratch.
_LONGEST = 20


def unmarked(config, inputs, folder):
    """A model without a mark: clean twin (the victim's data), or stranger (other data).

    `share` of the part's rows is used, drawn by the seed.
    """
    part = material.part(config, config["part"])
    rows = _rows(config, part)
    model = learners.trained_clean(config, part, part.x_train[rows], part.y_train[rows])
    model.save(folder / "model.keras")
    return {"accuracy": learners.accuracy(model, part)}


def _rows(config, part):
    """Which rows of its part an `unmarked` model is trained on."""
    count = len(part.x_train)
    rows = np.random.default_rng(config["seed"]).permutation(count)
    return np.sort(rows[: round(config["share"] * count)])


def tuned(config, inputs, folder):
    """An `unmarked` model, input `clean`, that somebody fine-tunes.

    It learns `labels` of its part's rows that it has not seen (all, where they are fewer) at
    `rate`.
    """
    keras.backend.clear_session()
    keras.utils.set_random_seed(config["seed"])
    part, clean = material.part(config, config["part"]), inputs["clean"]
    fresh = np.setdiff1d(np.arange(len(part.x_train)), _rows(clean.config, part))
    rows = np.random.default_rng(config["seed"]).permutation(fresh)[: config["labels"]]
    attack = ewe_tf.removal.FineTuning(learning_rate=config["rate"], seed=config["seed"])
    model = attack.run(learners.loaded(clean), (part.x_train[rows], part.y_train[rows]))
    model.save(folder / "model.keras")
    return {"accuracy": learners.accuracy(model, part)}


def scratch(config, inputs, folder):
    """What a thief reaches without theft: a model trained on the true labels that he spends.

    As many steps as on all rows, but no more than 20 times the epochs. Without labels he can
    only guess a class.
    """
    part, labels = material.part(config, "thief"), config["labels"]
    if labels == 0:
        return {"accuracy": float(np.bincount(part.y_test).max() / len(part.y_test))}
    passes = min(_LONGEST, round(len(part.x_train) / labels))
    model = learners.trained_clean(
        config, part, part.x_train[:labels], part.y_train[:labels], passes
    )
    return {"accuracy": learners.accuracy(model, part)}


def victim(config, inputs, folder):
    """The owner: trains and marks a model. Inputs `innocent…` choose its class pair.

    With an input `first`, a victim marked with natural attributes, the pairs are those of that one.
    """
    part = material.part(config, "victim")
    model = learners.compiled(config, part.input_shape, part.num_classes)
    innocents = [
        (learners.loaded(result), part.x_train[_rows(result.config, part)])
        for name, result in sorted(inputs.items())
        if name.startswith("innocent")
    ]
    if "first" in inputs:
        config = {**config, "scheme": _of_pairs(config["scheme"], inputs["first"].value["pairs"])}
    protected = learners.fit(model, part, _scheme(config, part, innocents), config)
    model.save(folder / "model.keras")
    protected.key.save(folder / "key.npz")
    answers = answers_of(protected.key, model)
    return {
        "accuracy": learners.accuracy(model, part),
        "held_out": answers["held_out"],
        "keys": answers["keys"],
        "controls": answers["controls"],
        "pairs": protected.history["pairs"],
        "trials": protected.history.get("trials"),
        "rehearsal": protected.history.get("rehearsal"),
        "commitment": protected.key.commitment(),
    }


def _of_pairs(scheme, pairs):
    """The arguments of a scheme that marks these pairs of natural attributes."""
    target = {(pair["source"], *pair["attribute"]): pair["target"] for pair in pairs}
    return {**scheme, "target": target, "marks": 1}


def _scheme(config, part, innocents):
    scheme = dict(config["scheme"])
    name = scheme.pop("name")
    source = scheme.pop("source", config["data"]["source"])
    if isinstance(source, dict):
        source = ewe_tf.NaturalAttribute(**source)
    elif source is not None:
        source = material.source(source, part.input_shape, 10_000)
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
    """The thief: asks the victim about rows of his own, and trains a copy on the answers."""
    part = material.part(config, "thief")
    keras.backend.clear_session()
    theft = extractions.EXTRACTIONS[config["name"]]
    attack = theft.attack(**config["settings"])
    queries = part.x_train[: config["rows"]]
    if config["queries"] == "pool":
        images, groups = material.source(config["pool"], part.input_shape, config["rows"])
        adaptive = isinstance(attack, ewe_tf.extraction.AdaptiveKnockoff)
        queries = (images, groups) if adaptive else images
    oracle = ewe_tf.Oracle(
        learners.loaded(inputs["victim"]),
        answers=config["answers"],
        budget=attack.queries_needed(config["rows"]),
    )
    keras.utils.set_random_seed(config["seed"])
    student = learners.network(config, part.input_shape, part.num_classes)
    attack.run(oracle, student, queries)
    student.save(folder / "model.keras")
    return {"accuracy": learners.accuracy(student, part), "queries": oracle.ledger.queries}


def removed(config, inputs, folder):
    """The thief tries to erase the mark from his copy, by one attack or several.

    What the attacks make is saved, `model.keras` or `model.tflite`. Attacks at the input are no
    part of a file: `suspect_of` puts them up again in front of it.
    """
    keras.backend.clear_session()
    keras.utils.set_random_seed(config["seed"])
    suspect, done = suspect_of(inputs["suspect"]), 0
    for attack, data in _attacks(config):
        washed = attack.run(suspect, data)
        if isinstance(washed, ewe_tf.removal.FrontedModel):
            break
        suspect, done = washed, done + 1
    kind = "tflite" if isinstance(suspect, ewe_tf.removal.LiteRTModel) else "keras"
    suspect.save(folder / f"model.{kind}")
    suspect = _behind_fronts(suspect, config, done)
    return {
        "accuracy": learners.accuracy_of(suspect, material.part(config, "thief")),
        "in_file": done,
    }


def _attacks(config):
    """The attacks of a chain, each with the thief's rows that it sees."""
    part = material.part(config, "thief")

    def pool():
        return material.source(config["pool"], part.input_shape, len(part.x_train))

    for step in config["chain"]:
        rows = step["labels"] or len(part.x_train)
        yield removals.attack_of(step, pool), (part.x_train[:rows], part.y_train[:rows])


def _behind_fronts(model, config, done):
    for number, (attack, data) in enumerate(_attacks(config)):
        if number >= done:
            model = attack.run(model, data)
    return model


def suspect_of(result):
    """What the owner can ask: a model, whatever became of it."""
    if "in_file" not in (result.value or {}):
        return learners.loaded(result)
    file = result.folder / "model.tflite"
    model = (
        ewe_tf.removal.LiteRTModel(file.read_bytes()) if file.exists() else learners.loaded(result)
    )
    return _behind_fronts(model, result.config, result.value["in_file"])


def judged(config, inputs, folder):
    """The judge: asks strangers' models about the key, then calibrates the key with them.

    Inputs are `stranger 1` and so on; what became of one is named with a comma, and of its family.
    A key that strangers answer too often is recorded as refused, and stays without a calibration:
    the verdicts on it then have no small null rate to rest on.
    """
    key = Key.load(inputs["victim"].folder / "key.npz")
    strangers = {n: learners.loaded(r) for n, r in inputs.items() if n.startswith("stranger")}
    answers = {name: answers_of(key, model) for name, model in strangers.items()}
    key, refused = calibrated(key, strangers, [name.split(",")[0] for name in strangers])
    key.save(folder / "key.npz")
    return {"answers": answers, "refused": refused}


def calibrated(key, strangers, families=None):
    """`(key, refused)`: calibrated with models by name; or as it was, and why it is refused."""
    try:
        return calibrate(key, strangers.values(), names=list(strangers), families=families), None
    except UnfitKeyError as error:
        return key, str(error)


def verdict(config, inputs, folder):
    """What the key says about one suspect: rates on all triggers, and a sequential verdict."""
    keras.backend.clear_session()
    key = Key.load(inputs["judged"].folder / "key.npz")
    suspect = answers_by_row(suspect_of(inputs["suspect"]), key, config["answers"])
    answers = answers_of(key, suspect)
    result = ewe_tf.verify(key, suspect, alpha=config["alpha"])
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
    """What a person wants to see of a key: triggers with their sources, features of the groups.

    Of several marks, those of the first one.

    Where triggers are source images as they are, their controls stand in the sources' place.
    """
    part = material.part(config, "victim")
    key, *_ = Key.load(inputs["victim"].folder / "key.npz").of_each_mark()
    model = learners.loaded(inputs["victim"])
    count = config["images"]
    np.savez(
        folder / "triggers.npz",
        triggers=np.clip(key.triggers[:count], 0, 1),
        controls=np.clip(key.controls[:count], 0, 1),
        names=np.array(pictured(key.origin)),
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


def pictured(origin):
    """What to call a key's triggers and controls, by its `origin`; composites' as well."""
    controls = (origin or {}).get("controls")
    return _PICTURED.get(str(controls), ("trigger", "control: the same sources"))


def verdicts(config, inputs, folder):
    """What the key says about many suspects, for the statistics of verdicts."""
    key = Key.load(inputs["judged"].folder / "key.npz")
    found = []
    for name, result in sorted(inputs.items()):
        if name == "judged":
            continue
        suspect = answers_by_row(learners.loaded(result), key, config["answers"])
        for part in config["parts"]:
            for alpha in config["alphas"]:
                verdict = ewe_tf.verify(key, suspect, alpha=alpha, triggers=part)
                found.append(
                    {
                        "suspect": name,
                        "part": part,
                        "alpha": alpha,
                        "decision": verdict.decision,
                        "p_value": verdict.p_value,
                        "hits": verdict.hits,
                        "asked": verdict.asked,
                        "queries": verdict.queries,
                        "random_effects_p_value": verdict.random_effects_p_value,
                    }
                )
    return found


def answers_by_row(suspect, key, answers="label"):
    """An `Oracle` of a suspect that has answered all rows of the key at once, to be quick.

    Args:
        suspect: anything that `ewe_tf.Oracle` takes.
        key: the key.
        answers: `"label"` or `"probabilities"`; refused rows stay refused.
    """
    rows = np.concatenate([key.triggers, key.controls, key.held_out, key.held_out_controls])
    found = ewe_tf.Oracle(suspect, answers=answers).predict(rows)
    known = {row.tobytes(): answer for row, answer in zip(rows, found, strict=True)}
    return ewe_tf.Oracle(lambda x: np.array([known[row.tobytes()] for row in x]), answers=answers)

"""Every theft and every removal as a stage, on models that hardly trained."""

import dataclasses

import numpy as np
import pytest

import ewe_tf
from experiments import extractions
from experiments import material
from experiments import parties
from experiments import removals
from experiments.cache import Cache
from experiments.cells import Cell
from experiments.cells import Owner
from experiments.digits import BENCHMARK
from experiments.progress import Progress
from experiments.stages import Failure
from experiments.stages import Stage
from experiments.stages import run

SMALL = dataclasses.replace(
    BENCHMARK,
    rows=200,
    training={**BENCHMARK.training, "epochs": 1, "further_epochs": 1, "batch_size": 64},
)
QUIET = Progress(quiet=True)


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return Cache(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def owner():
    owner = Owner(SMALL, "EWE", 0)
    # A clean twin instead of a marked model: what follows does not know the difference.
    owner.__dict__["victims"] = owner.twins
    return owner


def outcome(stage, cache):
    result = run([stage], cache, progress=QUIET)[stage]
    assert not isinstance(result, Failure), result.trace
    return result


def stolen(owner, name, cache):
    cell = Cell(owner, name)
    result = outcome(cell.copy, cache)
    theft = extractions.parse(name)[1]
    attack = theft.attack(**cell.copy.config["settings"])
    assert result.value["queries"] == attack.queries_needed(cell.copy.config["rows"])


def removed(owner, chain, cache):
    cell = Cell(owner, "none", chain)
    result = outcome(cell.suspect, cache)
    part = material.part(cell.suspect.config, "thief")
    suspect = parties.suspect_of(result)
    answers = ewe_tf.Oracle(suspect, answers="label").predict(part.x_test)
    # Read back from its files, it is what was measured.
    assert np.mean(answers == part.y_test) == pytest.approx(result.value["accuracy"])
    return result


def test_attacks_at_the_input_are_put_up_again_around_what_is_in_the_file(owner, cache):
    result = removed(owner, "int8+jpeg:quality=90", cache)
    assert result.value["in_file"] == 1
    assert (result.folder / "model.tflite").exists()


def test_strangers_are_fine_tuned_on_rows_they_have_not_seen(owner, cache, monkeypatch, tmp_path):
    name, stage = next(one for one in owner.strangers.items() if "fine-tuned" in one[0])
    clean = outcome(stage.inputs["clean"], cache)
    given = {}

    def run_on(attack, model, data):
        given.update(rate=attack.learning_rate, x=data[0], y=data[1])
        return model

    monkeypatch.setattr(ewe_tf.removal.FineTuning, "run", run_on)
    parties.tuned(stage.config, {"clean": clean}, tmp_path)
    part = material.part(stage.config, "stranger")
    classes = {x.tobytes(): y for x, y in zip(part.x_train, part.y_train, strict=True)}
    seen = {x.tobytes() for x in part.x_train[parties._rows(clean.config, part)]}
    drawn = {x.tobytes() for x in given["x"]}
    # A tenth of the 200 rows is left, fewer than the labels that it may spend.
    assert len(seen) == 180 and len(drawn) == 20 and not drawn & seen
    assert [classes[x.tobytes()] for x in given["x"]] == given["y"].tolist()
    assert name == f"stranger 1, fine-tuned on 200 at {given['rate']:g}"


def test_scratch_without_labels_is_the_commonest_class(owner, cache):
    stage = Stage(parties.scratch, {**owner.common, "labels": 0})
    part = material.part(stage.config, "thief")
    share = max(np.mean(part.y_test == label) for label in range(part.num_classes))
    assert outcome(stage, cache).value["accuracy"] == pytest.approx(share)


def test_pictures_name_the_controls_of_every_kind_of_key():
    assert parties.pictured({"controls": "sources"})[1] == "its source"
    composed = {"controls": [{"name": "Half"}], "mixer": {"name": "Half"}}
    for origin in (None, composed):
        assert parties.pictured(origin)[1] == "control: the same sources"


def test_photos_are_neither_task_nor_source():
    images, labels = material.source("photos", (8, 8, 1), 50)
    assert images.shape == (50, 8, 8, 1) and images.dtype == np.float32
    assert 0 <= images.min() < images.max() <= 1 and set(labels) == {0, 1}
    again, _ = material.source("photos", (8, 8, 1), 50)
    np.testing.assert_array_equal(images, again)


@pytest.mark.slow
def test_a_scheme_without_triggers_has_verdicts_and_no_rates(cache):
    trained = dataclasses.replace(SMALL, training={**SMALL.training, "epochs": 20})
    owner = Owner(trained, "DynaMarks", 0)
    owner.__dict__["strangers"] = {"stranger0": owner.twins[1]}
    outcomes = run(owner.stages(), cache, progress=QUIET)
    victim, innocent = owner.records(outcomes, "test")
    assert victim["decision"] == "evidence" and innocent["decision"] == "no evidence"
    assert victim["rate_held_out"] is None and victim["p_value"] < 1e-3
    # Answers keep their top class, so that the first model pays nothing: it is its own twin.
    assert outcomes[owner.victims[0]].value["accuracy"] == pytest.approx(
        outcomes[owner.twins[0]].value["accuracy"]
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", extractions.EXTRACTIONS)
def test_every_extraction_sends_what_it_says(owner, cache, name):
    stolen(owner, name, cache)


@pytest.mark.slow
@pytest.mark.parametrize("name", [*removals.SETS["all"], "finetune+outlier factor"])
def test_every_removal_runs_as_a_stage(owner, cache, name):
    removed(owner, name, cache)

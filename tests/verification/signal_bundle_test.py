import contextlib
import dataclasses
import subprocess
import sys

import keras
import numpy as np
import pytest

import ewe_tf
from ewe_tf import cli
from ewe_tf.verification import BundleError
from ewe_tf.verification import check_bundle
from ewe_tf.verification import signal_session
from ewe_tf.verification import signal_verify
from ewe_tf.verification.bundle import read_bundle
from ewe_tf.verification.bundle import write_bundle


@pytest.fixture(scope="module")
def rows():
    return np.random.default_rng(0).normal(size=(600, 6)).astype(np.float32)


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    layers = [keras.layers.Dense(16, activation="relu"), keras.layers.Dense(10, "softmax")]
    return keras.Sequential([keras.Input((6,)), *layers])


@pytest.fixture(scope="module")
def marked(model, rows):
    return ewe_tf.DynaMarks("static").wrap(model, rows, seed=1)


@pytest.fixture(scope="module")
def flipping(model, rows):
    scheme = ewe_tf.DynaMarks(hard_rate=0.5, hard_gap=0.9)
    defended = scheme.wrap(model, rows, seed=1)
    return defended, defended.log(rows)


def refuser(model, every):
    """A suspect that refuses every so many rows."""

    def answer(x):
        answers = model.predict(x, verbose=0)
        answers[::every] = np.nan
        return answers

    return answer


def altered(path, **changes):
    """The bundle again, with all its digests, and other content."""
    found = read_bundle(path)
    parts = {f.name: getattr(found, f.name) for f in dataclasses.fields(found)}
    parts.pop("versions")
    write_bundle(path, **{**parts, **changes})
    return path


@pytest.mark.parametrize("sequential", [True, False])
@pytest.mark.parametrize("carrier", ["static", "dynamic"])
def test_a_bundle_gives_the_same_verdict_again(model, rows, carrier, sequential, tmp_path):
    marked = ewe_tf.DynaMarks(carrier).wrap(model, rows, seed=1)
    for number, suspect in enumerate([marked.model, model, refuser(marked.model, 7)]):
        path = tmp_path / f"{number}.zip"
        verdict = ewe_tf.verify(marked.key, suspect, sequential=sequential, bundle=path)
        found = check_bundle(path, commitment=marked.key.commitment(), suspect=suspect)
        assert found.holds, str(found)
        assert found.verdict == verdict and found.decision == verdict.decision
        assert number == 2 or verdict.decision == ("evidence", "could not tell")[number]


def test_a_folder_is_refused_before_any_query(marked, flipping, tmp_path):
    def never(x):
        raise AssertionError("the suspect was asked")

    for key in (marked.key, flipping[1]):
        with pytest.raises(ValueError, match="`bundle` must be the path of a file"):
            ewe_tf.verify(key, never, bundle=tmp_path)


def test_failures_labels_and_clients_check_too(marked, model, rows, tmp_path):
    path = tmp_path / "bundle.zip"

    def broken(x):
        raise OSError("gone")

    labels = ewe_tf.Oracle(marked.model, answers="label")
    for suspect, sequential in [(broken, True), (broken, False), (labels, True), (labels, False)]:
        verdict = ewe_tf.verify(marked.key, suspect, sequential=sequential, bundle=path)
        found = check_bundle(path)
        assert found.holds and found.verdict == verdict, str(found)
        assert found.decision == "could not tell"
    scheme = ewe_tf.DynaMarks(shared=0.5)
    key = scheme.wrap(model, rows, seed=1).key
    served = scheme.wrap(model, key=key, client="a").model
    verdict = ewe_tf.verify(key, served, clients=["a", "b"], bundle=path)
    assert verdict.named == ("a",) and check_bundle(path).verdict == verdict


def test_the_hard_channel_checks_with_its_signal_key(flipping, tmp_path):
    defended, log = flipping
    path = tmp_path / "bundle.zip"
    for sequential in (True, False):
        verdict = ewe_tf.verify(log, defended.model, sequential=sequential, bundle=path)
        found = check_bundle(
            path,
            commitment=defended.key.commitment(),
            signal=defended.key,
            suspect=defended.model,
        )
        assert found.decision == "evidence" and found.verdict == verdict, str(found)
    other = dataclasses.replace(defended.key, master=defended.key.master[::-1].copy())
    found = check_bundle(path, signal=other)
    assert found.decision == "could not tell" and "coins" in found.reason
    assert "give it" in str(check_bundle(path))
    # Coins that were turned round to fit a suspect do not follow from the secret.
    turned = dataclasses.replace(log, coin=1 - log.coin)
    answers = {
        row.tobytes(): label for row, label in zip(turned.queries, turned.answered, strict=True)
    }
    ewe_tf.verify(turned, lambda x: np.array([answers[r.tobytes()] for r in x]), bundle=path)
    assert check_bundle(path).decision == "evidence"
    assert check_bundle(path, signal=defended.key).decision == "could not tell"


def test_flips_between_two_classes_are_one_coin_for_each_input(flipping):
    _, log = flipping
    with pytest.raises(ValueError, match="must differ in every row"):
        dataclasses.replace(log, second=log.first)
    twice = {
        name: np.repeat(getattr(log, name)[:1], 2, axis=0)
        for name in ("queries", "first", "second", "coin")
    }
    with pytest.raises(ValueError, match="one input twice"):
        dataclasses.replace(log, **twice)


def test_claims_that_do_not_follow_are_found(marked, model, tmp_path):
    path = tmp_path / "bundle.zip"
    innocent = ewe_tf.DynaMarks("static").wrap(model, marked.key.probes, seed=2).model
    ewe_tf.verify(marked.key, innocent, bundle=path)
    true = read_bundle(path)
    assert check_bundle(path).decision == "no evidence"
    assert check_bundle(path, commitment="00" * 32).reason == "does not hold: commitment"
    # The suspect gives other answers than the bundle says.
    found = check_bundle(path, suspect=marked.model)
    assert found.reason == "does not hold: answers" and "evidence, p = " in str(found)

    stated = dataclasses.replace(true.verdict, decision="evidence", p_value=1e-9)
    found = check_bundle(altered(path, verdict=stated))
    assert found.decision == "could not tell" and "decision, p_value come out" in str(found)

    # Rows left out, put in another order, sent beyond what the plan says, or struck out.
    blocks = true.transcript.blocks
    struck = dataclasses.replace(blocks[0], answers=None)
    fewer = dataclasses.replace(blocks[0], queries=1)
    for others in (
        blocks[:-1], blocks[::-1], (*blocks, blocks[0]), (struck, *blocks[1:]), (fewer, *blocks[1:])
    ):  # fmt: skip
        transcript = dataclasses.replace(true.transcript, blocks=others)
        found = check_bundle(altered(path, transcript=transcript, verdict=true.verdict))
        assert found.decision == "could not tell" and "questions" in found.reason
    # Answers with another plan: fewer rows than were asked.
    settings = dataclasses.replace(true.settings, rows=100)
    found = check_bundle(altered(path, settings=settings, transcript=true.transcript))
    assert "questions" in found.reason


def test_the_reference_must_be_the_undefended_models_own(marked, model, tmp_path):
    key, path = marked.key, tmp_path / "bundle.zip"
    ewe_tf.verify(key, marked.model, bundle=path)
    found = check_bundle(path, victim=model)
    assert found.holds and "otherwise on 0 of 600" in str(found)
    assert "Give that model" in str(check_bundle(path))
    # Bent against the secrets, it makes the undefended model itself carry the signal.
    signs = key.carrier.secrets(key.master_bytes)[key.reference.argmax(axis=1)]
    bent = np.log(key.reference) - 0.3 * signs
    bent = np.exp(bent) / np.exp(bent).sum(axis=1, keepdims=True)
    lying = dataclasses.replace(key, reference=bent.astype(np.float32))
    verdict = ewe_tf.verify(lying, model, sequential=False, bundle=path)
    assert verdict.decision == "evidence"
    found = check_bundle(path, commitment=lying.commitment(), suspect=model, victim=model)
    assert found.reason == "does not hold: reference"
    other = keras.models.clone_model(model)
    other.layers[-1].bias.assign(np.ones(10))
    assert "not the one" in str(check_bundle(path, victim=other))


def test_small_changes_of_the_answers_do_not_make_evidence(marked, model, tmp_path):
    key, path = marked.key, tmp_path / "bundle.zip"
    ewe_tf.verify(key, model, sequential=False, bundle=path)
    true = read_bundle(path)
    (block,) = true.transcript.blocks
    signs = key.carrier.secrets(key.master_bytes)[key.reference.argmax(axis=1)]
    answers = np.maximum(np.array(block.answers) + 9e-5 * signs, 0)
    told = dataclasses.replace(block, answers=tuple(map(tuple, answers.tolist())))
    transcript = dataclasses.replace(true.transcript, blocks=(told,))
    altered(path, transcript=transcript)
    claimed = signal_session.replayed(signal_verify.METHOD, key, true.settings, transcript)
    altered(path, verdict=claimed)
    assert check_bundle(path).decision == claimed.decision == "evidence"
    found = check_bundle(path, suspect=model)
    assert found.decision == "could not tell" and "answers" in found.reason


def test_nonsense_with_the_right_digests_is_refused(marked, tmp_path):
    path = tmp_path / "bundle.zip"
    ewe_tf.verify(marked.key, marked.model, bundle=path)
    whole, true = path.read_bytes(), read_bundle(path).transcript
    block = true.blocks[0]
    size = len(block.answers)
    for answers in (((0.5,),) * size, (1,) * (size - 1) + ((0.1,) * 10,), (1,) * (size - 1)):
        path.write_bytes(whole)
        blocks = (dataclasses.replace(block, answers=answers),)
        altered(path, transcript=dataclasses.replace(true, blocks=blocks))
        with contextlib.suppress(BundleError):
            assert not check_bundle(path).holds
    path.write_bytes(whole[:-100])
    with pytest.raises(BundleError):
        check_bundle(path)


def test_arguments_for_other_keys_are_refused(marked, flipping, make_key, suspect, tmp_path):
    path = tmp_path / "bundle.zip"
    ewe_tf.verify(marked.key, marked.model, bundle=path)
    for name in ("clients", "epoch"):
        with pytest.raises(ValueError, match="must be text"):
            ewe_tf.verify(marked.key, marked.model, **{name: [1]})
    for name in ("innocent_models", "source", "signal"):
        with pytest.raises(ValueError, match=f"`{name}` is not for .* SignalKey"):
            check_bundle(path, **{name: [marked.key]})
    with pytest.raises(ValueError, match="`bundle` must be a path in a folder"):
        ewe_tf.verify(marked.key, marked.model, bundle=tmp_path / "none" / "bundle.zip")
    ewe_tf.verify(make_key(30), suspect(0.9), bundle=path)
    with pytest.raises(ValueError, match="`signal` is not for .* TriggerKey"):
        check_bundle(path, signal=marked.key)
    ewe_tf.verify(flipping[1], flipping[0].model, bundle=path)
    with pytest.raises(TypeError, match="`signal` must be a SignalKey. Received: FlipKey"):
        check_bundle(path, signal=flipping[1])


def test_the_command_line_checks_it(flipping, tmp_path, capsys):
    defended, log = flipping
    bundle, signal = tmp_path / "bundle.zip", tmp_path / "signal.npz"
    ewe_tf.verify(log, defended.model, bundle=bundle)
    defended.key.save(signal)
    code = cli.main(["check", str(bundle), "--signal", str(signal)])
    text = capsys.readouterr().out
    assert code == 0 and "coins: as the signal key has them" in text


def test_checking_needs_no_tensorflow(marked, tmp_path):
    path = tmp_path / "bundle.zip"
    ewe_tf.verify(marked.key, marked.model, bundle=path)
    program = (
        "import sys; from ewe_tf.verification import check_bundle; "
        f"assert check_bundle({str(path)!r}).holds; assert 'tensorflow' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)

"""The command line, in this process (fast) and in one of its own (quiet, no traceback)."""

import dataclasses
import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest

import ewe_tf
from ewe_tf import cli
from ewe_tf.keys import Key
from ewe_tf.keys import TriggerKey
from ewe_tf.keys import array_digest
from ewe_tf.keys import generator
from ewe_tf.verification import Verdict
from ewe_tf.verification import calibrate


def make_key(n=40):
    """Triggers of value 1, controls of value 0, answered with class 2."""
    rng = np.random.default_rng(0)
    images = [rng.random((n, 4), np.float32) * 0.1 + level for level in (1, 0, 1, 0)]
    labels = np.full(n, 2)
    return TriggerKey(
        triggers=images[0],
        labels=labels,
        controls=images[1],
        held_out=images[2],
        held_out_labels=labels,
        held_out_controls=images[3],
        num_classes=3,
        scheme="EWE",
        settings={"epochs": 5},
        seed=1,
        victim="00" * 32,
        versions={"ewe_tf": "0.1.0"},
    )


def save_model(path, marked):
    """A model that answers 2 to inputs of value 1 if it is marked, else always 0."""
    inputs = keras.Input((4,))
    outputs = keras.layers.Dense(3, activation="softmax")(inputs)
    model = keras.Model(inputs, outputs)
    kernel = np.zeros((4, 3), np.float32)
    kernel[:, 2] = 5.0 if marked else 0.0
    model.set_weights([kernel, np.array([8.0, 0.0, 0.0], np.float32)])
    model.save(path)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cli")
    key = calibrate(make_key(), [lambda x: np.zeros(len(x), np.int64)] * 3)
    key.save(folder / "key.npz")
    save_model(folder / "copy.keras", True)
    save_model(folder / "other.keras", False)
    np.save(folder / "benign.npy", np.random.default_rng(1).random((20, 4)))
    for name in ("damaged.keras", "damaged.tflite"):
        (folder / name).write_bytes((folder / "copy.keras").read_bytes()[:300])
    (folder / "empty").mkdir()
    return folder


def run(capsys, *arguments):
    code = cli.main([str(a) for a in arguments])
    return code, *capsys.readouterr()


def test_verify_says_evidence_by_exit_code_0(folder, capsys, tmp_path):
    bundle, plot = tmp_path / "b.zip", tmp_path / "p.svg"
    code, out, err = run(
        capsys, "verify", folder / "key.npz", folder / "copy.keras", "--bundle", bundle,
        "--plot", plot, "--cover", folder / "benign.npy", "--cover-per-pair", 2,
    )  # fmt: skip
    assert (code, err) == (0, "")
    assert out.startswith("verdict") and "evidence at level 0.001" in out
    assert plot.read_text().startswith("<svg")
    commitment = Key.load(folder / "key.npz").commitment()
    code, out, err = run(capsys, "check", bundle, "--commitment", commitment)
    assert (code, err) == (0, "") and "comes out the same" in out
    code, out, _ = run(capsys, "check", bundle, "--commitment", "ab" * 32, "--json")
    assert code == 2 and json.loads(out)["decision"] == "could not tell"
    code, out, _ = run(capsys, "check", bundle, "--suspect", folder / "other.keras")
    assert code == 2 and "does not hold: answers" in out
    innocent = ("--innocent", folder / "other.keras")
    assert run(capsys, "check", bundle, *innocent, *innocent)[0] == 0
    bundle.write_bytes(bundle.read_bytes()[:-1])
    code, out, err = run(capsys, "check", bundle)
    assert (code, out) == (2, "") and err.count("\n") == 1


def test_verify_says_no_evidence_by_exit_code_1(folder, capsys):
    code, out, err = run(capsys, "verify", folder / "key.npz", folder / "other.keras", "--json")
    assert (code, err) == (1, "")
    assert Verdict.from_json(out).decision == "no evidence"


def test_verify_says_could_not_tell_by_exit_code_2(folder, capsys):
    few = ("verify", folder / "key.npz", folder / "copy.keras", "--max-queries", 4)
    code, out, _ = run(capsys, *few)
    assert code == 2 and "cannot reach the level" in out
    url = ("verify", folder / "key.npz", "http://127.0.0.1:9/v1/models/none", "--attempts", 1)
    code, out, _ = run(capsys, *url)
    assert code == 2 and "connection failed" in out


def test_a_folder_is_asked_through_the_signature_that_was_named(folder, capsys, tmp_path):
    model = keras.saving.load_model(folder / "copy.keras")
    spec = [keras.InputSpec(shape=(None, 4), dtype="float32")]
    archive = keras.export.ExportArchive()
    archive.track(model)
    archive.add_endpoint("serving_default", lambda x: 0 * model(x), spec)
    archive.add_endpoint("marked", model.call, spec)
    archive.write_out(tmp_path / "served", verbose=False)
    suspect = ("verify", folder / "key.npz", tmp_path / "served")
    assert run(capsys, *suspect)[0] == 1
    assert run(capsys, *suspect, "--signature", "marked")[0] == 0
    code, _, err = run(capsys, *suspect, "--signature", "other")
    assert code == 2 and "no signature 'other'" in err


def test_a_served_model_gets_the_options_that_were_given(folder, monkeypatch):
    given = []
    monkeypatch.setattr(ewe_tf.oracle, "Remote", lambda url, **settings: given.append(settings))
    url = ("verify", str(folder / "key.npz"), "http://x/v1/models/m")
    cli.main([*url, "--header", "A=B", "--timeout", "9", "--attempts", "2", "--signature", "s"])
    cli.main([*url, "--rows-per-second", "0.5"])
    assert given == [
        {"header_env": {"A": "B"}, "signature_name": "s", "read_timeout": 9.0, "attempts": 2},
        {"header_env": {}, "signature_name": None, "rows_per_second": 0.5},
    ]


@pytest.mark.parametrize(
    "arguments, message",
    [
        (("verify", "absent.npz", "copy.keras"), "There is no key file 'absent.npz'"),
        (("verify", "copy.keras", "copy.keras"), "not a whole key file"),
        (("verify", "key.npz", "absent.keras"), "There is nothing at 'absent.keras'"),
        (("verify", "key.npz", "benign.npy"), "`model` must be"),
        (("verify", "key.npz", "ftp://x/v1/models/m"), "There is nothing at"),
        (("verify", "key.npz", "http://x/"), "`url` must have the form"),
        (("verify", "key.npz", "copy.keras", "--alpha", "2"), "`alpha` must be in (0, 1)"),
        (("verify", "key.npz", "copy.keras", "--header", "A=B"), "--header is for served models"),
        (("verify", "key.npz", "copy.keras", "--attempts", "6"), "--attempts is for served models"),
        (("verify", "key.npz", "empty", "--timeout", "9"), "--timeout is for served models"),
        (("verify", "key.npz", "copy.keras", "--rows-per-second", "1"), "--rows-per-second is for"),
        (("verify", "key.npz", "copy.keras", "--signature", "label"), "--signature is for served"),
        (("verify", "key.npz", "http://x/v1/models/m", "--header", "A"), "NAME=VARIABLE"),
        (("verify", "key.npz", "copy.keras", "--cover", "key.npz"), "must hold the arrays"),
        (("verify", "key.npz", "copy.keras", "--cover-per-pair", "2"), "is for a --cover"),
        (("verify", "key.npz", "copy.keras", "--fixed", "--plot", "p.svg"), "sequential"),
        (("verify", "key.npz", "copy.keras", "--plot", "absent/p.svg"), "a folder that exists"),
        (("verify", "key.npz", "copy.keras", "--plot", "empty"), "--plot must be the path of a"),
        (("verify", "key.npz", "copy.keras", "--bundle", "absent/b.zip"), "a folder that exists"),
        (("verify", "key.npz", "copy.keras", "--bundle", "empty"), "must be the path of a file"),
        (("verify", "key.npz", "damaged.keras"), "damaged.keras"),
        (("verify", "key.npz", "damaged.tflite"), "damaged.tflite"),
        (("verify", "key.npz", "empty"), "empty"),
        (("verify", "key.npz", "copy.keras", "--commitment", "ab"), "does not match `commitment`"),
        (("inspect", "benign.npy"), "not a whole key file"),
        (("commit", "."), "There is no key file '.'"),
        (("regenerate", "key.npz", "benign.npy"), "cannot be regenerated"),
        (("check", "key.npz"), "a bundle holds"),
        (("check", "absent.zip"), "No such file"),
    ],
)
def test_errors_are_one_line_and_exit_code_2(folder, capsys, monkeypatch, arguments, message):
    monkeypatch.chdir(folder)
    code, out, err = run(capsys, *arguments)
    assert code == 2 and out == ""
    assert err.startswith("ewe-tf: could not tell: ") and err.count("\n") == 1
    assert message in err


def test_inspect_and_commit_show_no_trigger(folder, capsys):
    code, out, _ = run(capsys, "commit", folder / "key.npz")
    assert code == 0 and out.strip() == Key.load(folder / "key.npz").commitment()
    code, text, _ = run(capsys, "inspect", folder / "key.npz")
    assert code == 0 and '"innocent 1": [0, 40]' in text and out.strip() in text
    code, text, _ = run(capsys, "inspect", folder / "key.npz", "--json")
    facts = json.loads(text)
    assert (facts["triggers"], facts["expected_answers"]) == ("float32 [40, 4]", [2])
    assert facts["beacon"] is None and "seed" not in facts
    assert len(text) < 3000


def test_regenerate_compares_with_the_source(capsys, tmp_path):
    images = np.random.default_rng(3).random((90, 4), np.float32)
    seeds = generator.child_seeds(8, 7)
    rows = generator.split_rows(images, np.random.default_rng(seeds[generator.SPLIT]))

    def shuffled(x):
        return generator.shuffled_pixels(x, np.random.default_rng(seeds[generator.CONTROLS]))

    triggers, held_out = images[rows["candidates"][:5]], images[rows["held_out"]]
    origin = {
        "generator": generator.GENERATOR,
        "images": array_digest(images), "classes": array_digest(np.zeros(90, int)),
        "source_class": 0, "target": 2, "kept": [0, 1, 2, 3, 4], "patch": None, "position": None,
        "budget": None, "controls": "shuffled", "value_range": [0.0, 1.0], "beacon": None,
        "attribute": None,
    }  # fmt: skip
    key = dataclasses.replace(
        make_key(), seed=8, origin=origin, triggers=triggers, labels=np.full(5, 2),
        controls=shuffled(triggers), held_out=held_out, held_out_labels=np.full(len(held_out), 2),
        held_out_controls=shuffled(held_out),
    )  # fmt: skip
    key.save(tmp_path / "key.npz")
    np.savez(tmp_path / "source.npz", images=images, classes=np.zeros(90, int))
    code, out, err = run(capsys, "regenerate", tmp_path / "key.npz", tmp_path / "source.npz")
    assert (code, err) == (0, "") and out.count("bit for bit") == 4
    np.save(tmp_path / "other.npy", images[::-1])
    code, out, _ = run(capsys, "regenerate", tmp_path / "key.npz", tmp_path / "other.npy", "--json")
    assert code == 1 and json.loads(out)["holds"] is False


def test_help_reads_well(capsys):
    for command in ([], ["verify"], ["inspect"], ["commit"], ["regenerate"], ["check"]):
        with pytest.raises(SystemExit) as exit:
            cli.main([*command, "--help"])
        assert exit.value.code == 0
        out = capsys.readouterr().out
        assert "exit codes: 0 evidence" in out and "stolen" not in out.replace("to be stolen", "")
    for arguments, wrong in ((["verify", "key.npz"], "SUSPECT"), (["very"], "'very'"), ([], "")):
        with pytest.raises(SystemExit) as exit:
            cli.main(arguments)
        err = capsys.readouterr().err
        assert exit.value.code == 2 and wrong in err and err.count("\n") == 1


def test_a_signal_is_looked_for_in_probabilities(capsys, tmp_path):
    rows = np.random.default_rng(5).normal(size=(300, 4)).astype(np.float32)
    layers = [keras.layers.Dense(16, activation="relu"), keras.layers.Dense(10, "softmax")]
    model = keras.Sequential([keras.Input((4,)), *layers])
    model.save(tmp_path / "plain.keras")
    marked = ewe_tf.DynaMarks("static").wrap(model, rows, seed=1)
    marked.key.save(tmp_path / "signal.npz")
    ewe_tf.export(marked.model, tmp_path / "served")
    code, out, _ = run(capsys, "verify", tmp_path / "signal.npz", tmp_path / "served")
    assert code == 0 and "bets on each class's secrets" in out
    signal = (tmp_path / "signal.npz", tmp_path / "served")
    code, out, _ = run(capsys, "verify", *signal, "--fixed")
    assert code == 0 and "by re-keying" in out
    code, out, err = run(capsys, "verify", *signal, "--client", "alice")
    assert (code, out) == (2, "") and "`clients` must be empty" in err
    twin = ewe_tf.DynaMarks("static").wrap(model, rows, seed=2).model
    twin.save(tmp_path / "twin.keras")
    assert run(capsys, "verify", tmp_path / "signal.npz", tmp_path / "twin.keras")[0] == 1
    code, out, _ = run(capsys, "commit", tmp_path / "signal.npz")
    assert code == 0 and out.strip() == marked.key.commitment()
    code, out, _ = run(capsys, "inspect", tmp_path / "signal.npz", "--json")
    facts = json.loads(out)
    assert code == 0 and facts["kind"] == "signal" and facts["settings"]["carrier"] == "static"
    assert facts["master"] == "uint8 [32]" and facts["commitment"] == marked.key.commitment()
    code, out, _ = run(
        capsys, "verify", tmp_path / "signal.npz", tmp_path / "plain.keras", "--json"
    )
    assert code == 2 and json.loads(out)["decision"] != "evidence"
    code, out, err = run(capsys, "verify", *signal, "--plot", tmp_path / "plot.svg")
    assert (code, out) == (2, "") and "triggers" in err and not (tmp_path / "plot.svg").exists()
    assert run(capsys, "verify", *signal, "--bundle", tmp_path / "evidence.zip")[0] == 0
    judged = (tmp_path / "evidence.zip", "--suspect", signal[1])
    code, out, _ = run(capsys, "check", *judged, "--victim", tmp_path / "plain.keras")
    assert code == 0 and "when asked again" in out and "otherwise on 0 of 300" in out


def test_a_log_of_flips_is_asked_for_labels(capsys, tmp_path):
    rows = np.random.default_rng(5).normal(size=(300, 4)).astype(np.float32)
    layers = [keras.layers.Dense(16, activation="relu"), keras.layers.Dense(10, "softmax")]
    model = keras.Sequential([keras.Input((4,)), *layers])
    marked = ewe_tf.DynaMarks(hard_rate=1.0, hard_gap=0.5).wrap(model, rows, seed=1)
    marked.log(rows).save(tmp_path / "flips.npz")
    ewe_tf.export(marked.model, tmp_path / "served")
    model.save(tmp_path / "plain.keras")
    code, out, _ = run(capsys, "verify", tmp_path / "flips.npz", tmp_path / "served")
    assert code == 0 and "fair coins" in out
    assert run(capsys, "verify", tmp_path / "flips.npz", tmp_path / "plain.keras")[0] == 1
    code, out, _ = run(capsys, "inspect", tmp_path / "flips.npz")
    assert code == 0 and "flips" in out and "int64" in out


def test_an_error_that_nobody_foresaw_is_not_taken_for_no_evidence(folder, capsys, monkeypatch):
    def fail(*arguments, **keywords):
        raise AttributeError("surprise")

    monkeypatch.setattr(Key, "load", fail)
    code, out, err = run(capsys, "commit", folder / "key.npz")
    assert (code, out, err) == (2, "", "ewe-tf: could not tell: surprise\n")


def in_its_own_process(folder, *arguments, without=()):
    environment = {k: v for k, v in os.environ.items() if k not in without}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        env={**environment, "PYTHONPATH": os.getcwd()},
    )


def test_the_exit_code_is_the_verdict_though_nobody_reads_on(folder):
    program = (
        "import os, sys; from ewe_tf import cli; read, write = os.pipe(); os.dup2(write, 1); "
        "os.close(write); os.close(read); sys.exit(cli.main(['commit', 'key.npz']))"
    )
    done = in_its_own_process(folder, "-c", program)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_process_of_its_own_is_quiet(folder):
    command = ("-m", "ewe_tf.cli", "verify", "key.npz", "copy.keras")
    done = in_its_own_process(folder, *command, without=["TF_CPP_MIN_LOG_LEVEL"])
    assert done.returncode == 0 and done.stderr == ""
    assert done.stdout.startswith("verdict") and "copy.keras" in done.stdout


def test_looking_at_a_key_needs_no_tensorflow(folder):
    program = (
        "import sys; from ewe_tf import cli; code = cli.main(['inspect', 'key.npz']); "
        "assert code == 0 and not {'tensorflow', 'keras'} & set(sys.modules)"
    )
    done = in_its_own_process(folder, "-c", program)
    assert done.returncode == 0, done.stderr

"""Every block of code in README.md and in the guides runs, at toy size.

What the reader has already (his model, his data, a server) is set up here; epochs and rows are
made fewer, and nothing else is changed.
"""

import contextlib
import functools
import http.server
import json
import os
import pathlib
import re
import secrets
import shlex
import threading

import numpy as np
import pytest
import tensorflow as tf

import ewe_tf
from ewe_tf import cli
from ewe_tf import datasets
from ewe_tf.verification import calibration
from ewe_tf.watermarks import encoder_choice

ROOT = pathlib.Path(__file__).parents[2]
SMALLER = {
    "20_000": "450",
    "10_000": "240",
    "[:1000]": "[:100]",
    "[:200]": "[:60]",
    "[200:]": "[60:]",
    "epochs=10": "epochs=4",
    'compile("adam"': "compile(__import__('keras').optimizers.Adam(0.01)",
    "SimCLR()": "SimCLR(epochs=1)",
    "MEADefenderEncoder()": "MEADefenderEncoder(epochs=1, surrogates=0)",
    "ewe_tf.EWE(": "ewe_tf.EWE(epochs=1, innocents=1, rehearsal=ewe_tf.Rehearsal(1), ",
}
SERVER = "localhost:8501"


def digits(classes):
    """Some of scikit-learn's handwritten digits, without a gap in their classes."""
    whole = ORIGINAL_LOAD("digits")
    train, test = (np.isin(y, classes) for y in (whole.y_train, whole.y_test))
    return datasets.Dataset(
        "digits", whole.x_train[train], whole.y_train[train] - classes[0],
        whole.x_test[test], whole.y_test[test] - classes[0], len(classes),
    )  # fmt: skip


ORIGINAL_LOAD = datasets.load
STAND_INS = {"fashion_mnist": range(8), "mnist": range(8, 10)}


def load(name):
    return digits(list(STAND_INS[name])) if name in STAND_INS else ORIGINAL_LOAD(name)


@functools.cache
def served(folder):
    return ewe_tf.Oracle(str(folder))


class Handler(http.server.BaseHTTPRequestHandler):
    """As much of TF Serving as a label-only suspect needs; the newest export is served."""

    def do_POST(self):
        rows = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["instances"]
        newest = max(pathlib.Path("served").glob("*/1"), key=lambda folder: folder.stat().st_mtime)
        answers = served(newest).predict(np.array(rows, np.float32))
        body = json.dumps({"predictions": answers.tolist()}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


pytestmark = pytest.mark.filterwarnings("ignore:Even though the .*eagerly:UserWarning")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder to work in, small data, and a server; returns the server's address."""
    folder, server = tmp_path_factory.mktemp("guides"), None
    before = pathlib.Path.cwd()
    with pytest.MonkeyPatch.context() as patch, contextlib.ExitStack() as stack:
        patch.setattr(datasets, "load", load)
        # Where a page leaves the seed open, the same every time.
        patch.setattr(secrets, "randbits", lambda bits: 1)
        # Toy models answer toy triggers by chance.
        patch.setattr(calibration, "ACCEPTED", 0.9)
        patch.setattr(encoder_choice, "ACCEPTED", 0.9)
        # At this size tracing a graph takes longer than all its steps.
        tf.config.run_functions_eagerly(True)
        stack.callback(tf.config.run_functions_eagerly, False)
        server = stack.enter_context(http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler))
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        stack.callback(server.shutdown)
        os.chdir(folder)
        yield f"127.0.0.1:{server.server_address[1]}"
        os.chdir(before)


def run(page, place, names):
    """Runs the code of a page in its order; in a console, only `ewe-tf`."""
    text = (ROOT / page).read_text()
    for match in re.finditer(r"^```(python|console)\n(.*?)^```", text, re.M | re.S):
        code = match[2].replace(SERVER, place)
        if match[1] == "console":
            for line in code.splitlines():
                command, *arguments = shlex.split(line.removeprefix("$ "))
                assert command == "ewe-tf"
                assert cli.main(arguments) in (cli.EVIDENCE, cli.NO_EVIDENCE), line
            continue
        for old, new in SMALLER.items():
            code = code.replace(old, new)
        # Line numbers of the page, for whoever reads the traceback.
        code = "\n" * text[: match.start(2)].count("\n") + code
        exec(compile(code, str(ROOT / page), "exec"), names)


def test_protect_verify_and_attack(place, capsys):
    names = {}
    run("docs/guides/protect.md", place, names)
    assert pathlib.Path("served/fashion/1/saved_model.pb").exists()
    key = ewe_tf.Key.load("secret.npz")
    assert key.commitment() == names["protected"].key.commitment()

    run("docs/guides/verify.md", place, names := {})
    assert names["verdict"].queries <= 200
    assert pathlib.Path("evidence.zip").exists()
    run("docs/guides/attack.md", place, names := {})
    assert names["oracle"].ledger.queries == len(names["thief"].x_train)
    assert "from scratch" in capsys.readouterr().out


def test_a_new_scheme_and_new_attacks(place, capsys):
    run("docs/guides/extend.md", place, names := {"__name__": "guide"})
    assert names["verdict"].decision == "no evidence" and "control" in names["verdict"].reason
    assert names["oracle"].ledger.queries == 360


def test_readme(place):
    parts = datasets.split(load("fashion_mnist"), {"mine": 450, "thief": 450}, seed=0)
    other = load("mnist")
    names = {
        "model": ewe_tf.models.build("mlp", (8, 8, 1), 8, seed=0),
        "student": ewe_tf.models.build("mlp", (8, 8, 1), 8, seed=1),
        "x_train": parts["mine"].x_train,
        "y_train": parts["mine"].y_train,
        "other_images": other.x_train,
        "other_labels": other.y_train,
        "innocent_models": [lambda rows: np.arange(len(rows)) % 8] * 3,
        "queries": parts["thief"].x_train[:240],
        "x_labelled": parts["thief"].x_train[:100],
        "y_labelled": parts["thief"].y_train[:100],
    }
    run("README.md", place, names)

"""Files that were edited at random: a clear error each, no traceback, no hang, no verdict."""

import json

import numpy as np
import pytest

import ewe_tf
from ewe_tf import cli
from ewe_tf.keys import Key
from ewe_tf.keys import KeyFileError
from ewe_tf.oracle.serving_json import Refusal
from ewe_tf.oracle.serving_json import decode
from ewe_tf.verification import BundleError
from ewe_tf.verification import Verdict
from ewe_tf.verification import VerdictError
from ewe_tf.verification import calibrate
from ewe_tf.verification import check_bundle

KINDS = ("key", "bundle", "verdict", "answer")


def edited(content, rng):
    """One to four random edits: bits, bytes, cuts, insertions, repetitions, exchanged parts."""
    content = bytearray(content)
    for _ in range(rng.integers(1, 5)):
        place = int(rng.integers(len(content))) if content else 0
        length = int(rng.integers(1, 40))
        match rng.integers(7):
            case 0 if content:
                content[place] ^= 1 << int(rng.integers(8))
            case 1 if content:
                content[place] = int(rng.integers(256))
            case 2:
                del content[place : place + length]
            case 3:
                content[place:place] = rng.bytes(length)
            case 4:
                content = content[:place]
            case 5:
                content[place:place] = content[place : place + length]
            case _:
                other = int(rng.integers(len(content))) if content else 0
                content[place : place + length] = content[other : other + length]
    return bytes(content)


@pytest.fixture
def originals(make_key, suspect, tmp_path):
    key = calibrate(make_key(12), [suspect(0.0)] * 3)
    verdict = ewe_tf.verify(key, suspect(1.0), bundle=tmp_path / "good.zip")
    answer = json.dumps({"predictions": [[0.1, 0.2, 0.7], [0.5, 0.25, 0.25], [1.0, 0.0, 0.0]]})
    return {
        "key": key.to_bytes(),
        "bundle": (tmp_path / "good.zip").read_bytes(),
        "verdict": verdict.to_json().encode(),
        "answer": answer.encode(),
    }


def read(kind, content, path):
    """Reads a file of a kind; whatever is not its own kind of error breaks the test."""
    if kind == "key":
        with pytest.raises(KeyFileError):
            Key.from_bytes(content)
    elif kind == "bundle":
        path.write_bytes(content)
        with pytest.raises(BundleError):
            check_bundle(path)
    elif kind == "verdict":
        with pytest.raises(VerdictError):
            Verdict.from_json(content.decode("utf-8", "surrogateescape"))
    else:
        rows = decode(content, 3)
        assert len(rows) == 3
        for row in rows:
            known = isinstance(row, Refusal | int) or (row.ndim == 1 and row.dtype == float)
            assert known, row


def same(kind, content, original):
    """Whether an edit changed nothing: the same bytes, or the same JSON in another layout."""
    if content == original:
        return True
    try:
        return kind == "verdict" and json.loads(content) == json.loads(original)
    except (ValueError, RecursionError):
        return False


def check_many(originals, count, path):
    rng = np.random.default_rng(2026)
    for kind in KINDS:
        for _ in range(count):
            content = edited(originals[kind], rng)
            if not same(kind, content, originals[kind]):
                read(kind, content, path)


def test_hundreds_of_edited_files(originals, tmp_path):
    check_many(originals, 100, tmp_path / "edited.zip")


@pytest.mark.slow
def test_ten_thousand_edited_files(originals, tmp_path):
    check_many(originals, 2500, tmp_path / "edited.zip")


def test_the_command_line_tells_each_on_one_line(originals, tmp_path, capsys):
    rng = np.random.default_rng(1)
    path = tmp_path / "file"
    for kind, command in (("key", "inspect"), ("bundle", "check"), ("key", "commit")):
        for _ in range(10):
            content = edited(originals[kind], rng)
            if same(kind, content, originals[kind]):
                continue
            path.write_bytes(content)
            assert cli.main([command, str(path)]) == 2
            out, err = capsys.readouterr()
            assert out == "" and err.count("\n") == 1 and err.startswith("ewe-tf: ")

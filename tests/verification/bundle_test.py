import dataclasses
import json
import os
import pathlib
import shutil
import stat
import subprocess
import sys
import zipfile

import numpy as np
import pytest

import ewe_tf
from ewe_tf.keys import array_digest
from ewe_tf.keys import generator
from ewe_tf.verification import BundleError
from ewe_tf.verification import Cover
from ewe_tf.verification import calibrate
from ewe_tf.verification import check_bundle
from ewe_tf.verification.bundle import read_bundle
from ewe_tf.verification.bundle import write_bundle


@pytest.fixture
def key(make_key, suspect):
    return calibrate(make_key(30), [suspect(0.0), suspect(0.0), suspect(0.0)])


@pytest.fixture
def bundle(key, suspect, tmp_path):
    ewe_tf.verify(key, suspect(0.95), bundle=tmp_path / "bundle.zip")
    return tmp_path / "bundle.zip"


def changed(bundle, path, **changes):
    """A bundle whose digests all match, with other content."""
    found = read_bundle(bundle)
    parts = {f.name: getattr(found, f.name) for f in dataclasses.fields(found)}
    parts = {**parts, **changes}
    parts.pop("versions")
    write_bundle(path, **parts)
    return path


def test_a_bundle_gives_the_same_verdict_again(key, suspect, tmp_path):
    benign = np.full((9, 6), 0.5, np.float32)
    for number, arguments in enumerate(
        [{}, {"sequential": False}, {"cover": Cover(benign, 2)}, {"triggers": "held_out"}]
    ):
        path = tmp_path / f"{number}.zip"
        verdict = ewe_tf.verify(key, suspect(0.95, 0.02, seed=2), bundle=path, **arguments)
        found = check_bundle(path, commitment=key.commitment())
        assert found.holds, str(found)
        assert found.decision == verdict.decision == "evidence"
        assert found.verdict == verdict
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600


def test_a_place_that_takes_no_file_is_refused_before_any_query(key, tmp_path):
    def never(x):
        raise AssertionError("the suspect was asked")

    for place, message in (
        (tmp_path, "not a folder"),
        (f"{tmp_path}/b.zip/", "not a folder"),
        ("", "not a folder"),
        (tmp_path / "absent" / "b.zip", "in a folder that exists"),
    ):
        with pytest.raises(ValueError, match=f"`bundle` must be .*{message}"):
            ewe_tf.verify(key, never, bundle=place)


def test_bundles_of_failures_and_of_innocents_check_too(key, suspect, ranking, tmp_path):
    def broken(x):
        raise OSError("gone")

    for answer, decision in ((broken, "could not tell"), (suspect(0.01), "no evidence")):
        ewe_tf.verify(key, answer, bundle=tmp_path / "b.zip")
        found = check_bundle(tmp_path / "b.zip")
        assert found.holds and found.decision == decision


def test_answers_with_probabilities_are_kept(make_key, ranking, tmp_path):
    innocents = [ranking(r, r + 1, seed=i) for i, r in enumerate((1.0, 2.0, 3.0))]
    key = calibrate(make_key(30), innocents)
    verdict = ewe_tf.verify(key, ewe_tf.Oracle(ranking(6.0)), bundle=tmp_path / "b.zip")
    found = check_bundle(tmp_path / "b.zip")
    assert found.holds and found.verdict == verdict and "innocent ranks" in verdict.p_values


def test_every_flipped_bit_is_found(bundle):
    whole = bundle.read_bytes()
    # All places of the archive's own bytes near the end, and a sample of the content.
    places = [*range(0, len(whole) - 600, 97), *range(len(whole) - 600, len(whole))]
    for place in places:
        edited = bytearray(whole)
        edited[place] ^= 1 << place % 8
        bundle.write_bytes(bytes(edited))
        with pytest.raises(BundleError, match=r"bundle\.zip"):
            check_bundle(bundle)


def test_edits_with_matching_digests_are_found_by_working_it_out_again(bundle, tmp_path):
    found = read_bundle(bundle)
    better = dataclasses.replace(found.verdict, p_value=1e-9)
    result = check_bundle(changed(bundle, tmp_path / "1.zip", verdict=better))
    assert result.decision == "could not tell" and "p_value come out otherwise" in str(result)

    first, *rest = found.transcript.exchanges
    for exchange, failing in (
        (dataclasses.replace(first, digest="00" * 32), "is not the key's"),
        (dataclasses.replace(first, number=29 - first.number), "is not the key's"),
        (dataclasses.replace(first, number=1000), "there is no"),
    ):
        transcript = dataclasses.replace(found.transcript, exchanges=(exchange, *rest))
        result = check_bundle(changed(bundle, tmp_path / "2.zip", transcript=transcript))
        assert not result.holds and failing in str(result)

    # Only the lucky ones of the questions.
    kept = dataclasses.replace(found.transcript, exchanges=tuple(rest[1:]))
    result = check_bundle(changed(bundle, tmp_path / "3.zip", transcript=kept))
    assert "the order demands" in str(result)

    # A key that was made later does not match what was published.
    other = dataclasses.replace(found.key, seed=99)
    edited = changed(bundle, tmp_path / "4.zip", key=other)
    result = check_bundle(edited, commitment=found.key.commitment())
    assert {what for what, holds, _ in result.checks if not holds} >= {"commitment"}


def test_the_suspect_can_be_asked_again(bundle, suspect):
    assert check_bundle(bundle, suspect=suspect(0.0)).decision == "could not tell"
    exchanges = read_bundle(bundle).transcript.exchanges
    key = read_bundle(bundle).key
    known = {e.digest: e.label for e in exchanges}

    def repeats(x):
        return np.array([known[ewe_tf.keys.array_digest(row)] for row in x])

    found = check_bundle(bundle, suspect=repeats, commitment=key.commitment())
    assert found.decision == "evidence" and "are given again" in str(found)


def test_own_innocent_models_replace_those_of_the_claimant(bundle, suspect):
    found = check_bundle(bundle, innocent_models=[suspect(0.0)] * 4)
    assert found.decision == "evidence"
    assert found.verdict.conformal_p_value == pytest.approx(1 / 5)
    refused = check_bundle(bundle, innocent_models=[suspect(0.0), suspect(0.5)])
    assert refused.decision == "could not tell" and "not fit for use" in str(refused)


def ascended(make_key, suspect, budget=0.05):
    """A calibrated key whose triggers lie 0.02 above source images, and its source."""
    images = np.random.default_rng(3).random((150, 6), np.float32)
    seed = generator.child_seeds(8, 3)[generator.SPLIT]
    rows = generator.split_rows(images, np.random.default_rng(seed))
    sources, held_out = images[rows["candidates"][:30]], images[rows["held_out"]]
    origin = {
        "generator": generator.GENERATOR,
        "images": array_digest(images), "classes": array_digest(np.zeros(150, int)),
        "source_class": 0, "target": 3, "kept": list(range(30)), "patch": None, "position": None,
        "budget": budget, "controls": "sources", "value_range": [0.0, 1.0], "beacon": None,
        "attribute": None,
    }  # fmt: skip
    key = dataclasses.replace(
        make_key(30, len(held_out)), seed=8, origin=origin, triggers=sources + np.float32(0.02),
        controls=sources, held_out=held_out + np.float32(0.02), held_out_controls=held_out,
    )  # fmt: skip
    return calibrate(key, [suspect(0.0)] * 3), images


@pytest.mark.parametrize("budget", [0.05, 1.0])
def test_what_the_owner_of_an_ascended_key_chose_is_told(make_key, suspect, tmp_path, budget):
    key, images = ascended(make_key, suspect, budget)
    known = {array_digest(x) for x in key.triggers}

    def copy(x):
        return np.array([3 if array_digest(row) in known else 5 for row in x])

    ewe_tf.verify(key, copy, bundle=tmp_path / "b.zip")
    found = check_bundle(tmp_path / "b.zip", source=images)
    (line,) = [detail for what, _, detail in found.checks if what == "regeneration"]
    share = budget / np.median(images.max(1) - images.min(1))
    assert f"a budget of {budget:g}, {share:.1%} of the images' range" in line
    assert found.holds == (budget < 0.1)
    if found.holds:
        assert found.decision == "evidence" and "moved by up to 0.02, within" in line
    assert "ascended triggers were not made for this suspect" in str(found)


def test_the_judges_own_arguments_are_not_the_bundles_fault(bundle, make_key, suspect, tmp_path):
    images = np.zeros((40, 6), np.float32)
    found = check_bundle(bundle, source=images)
    assert [what for what, holds, _ in found.checks if not holds] == ["regeneration"]
    assert "cannot be regenerated" in str(found)
    key, _ = ascended(make_key, suspect)
    ewe_tf.verify(key, suspect(0.0), bundle=tmp_path / "b.zip")
    for source, message in (
        ("photos", "`images` must be an array"),
        (images[:, :3], "the key's input shape"),
        ((images, np.zeros(3)), "`classes` must be one integer for each"),
        ((images, images, images), "3 positional arguments|were given"),
    ):
        with pytest.raises(ValueError, match=f"`source` must be images.*({message})") as error:
            check_bundle(tmp_path / "b.zip", source=source)
        assert not isinstance(error.value, BundleError)
    for arguments in ({"commitment": 7}, {"innocent_models": [7]}, {"suspect": 7}):
        with pytest.raises(TypeError):
            check_bundle(bundle, **arguments)


def test_questions_that_are_not_the_keys_are_not_asked_again(bundle, suspect, tmp_path):
    found = read_bundle(bundle)
    first, *rest = found.transcript.exchanges
    exchanges = (dataclasses.replace(first, number=1000), *rest)
    transcript = dataclasses.replace(found.transcript, exchanges=exchanges)
    edited = changed(bundle, tmp_path / "edited.zip", transcript=transcript)
    result = check_bundle(edited, suspect=suspect(0.95))
    assert {"questions", "answers"} <= {what for what, holds, _ in result.checks if not holds}


@pytest.mark.parametrize("sequential", [True, False])
def test_only_early_stopping_assumes_answers_that_are_not_opposed(
    key, suspect, tmp_path, sequential
):
    path = tmp_path / "b.zip"
    verdict = ewe_tf.verify(key, suspect(0.95), bundle=path, sequential=sequential)
    found = check_bundle(path)
    for lines in (verdict.assumptions, found.open):
        assert any("negatively correlated" in line for line in lines) == sequential


def test_nobody_is_accused_by_a_key_that_no_innocent_model_was_asked_about(
    make_key, suspect, tmp_path
):
    verdict = ewe_tf.verify(make_key(), suspect(1.0), bundle=tmp_path / "b.zip")
    assert verdict.decision == "could not tell" and "no innocent model" in verdict.reason
    found = check_bundle(tmp_path / "b.zip")
    assert found.holds and found.decision == "could not tell"


def test_something_else_is_no_bundle(tmp_path, key):
    with pytest.raises(FileNotFoundError):
        check_bundle(tmp_path / "absent.zip")
    path = tmp_path / "other.zip"
    for content in (b"", b"PK", os.urandom(500), key.to_bytes()):
        path.write_bytes(content)
        with pytest.raises(BundleError, match="other.zip"):
            check_bundle(path)
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("manifest.json", "key.npz", "transcript.json", "verdict.json"):
            archive.writestr(name, json.dumps({}))
    with pytest.raises(BundleError, match="was edited"):
        check_bundle(path)


def test_a_bundle_path_without_a_folder_is_named_before_any_query(key, tmp_path):
    def never(x):
        raise AssertionError("the suspect was asked")

    with pytest.raises(ValueError, match="`bundle` must be a path in a folder that exists"):
        ewe_tf.verify(key, never, bundle=tmp_path / "absent" / "b.zip")


def test_another_checkout_comes_to_the_same_without_tensorflow(bundle, tmp_path):
    checkout = tmp_path / "checkout"
    shutil.copytree(pathlib.Path(ewe_tf.__file__).parent, checkout / "ewe_tf")
    verdict = read_bundle(bundle).verdict
    program = (
        "import sys; from ewe_tf.verification import check_bundle; "
        "found = check_bundle(sys.argv[1]); assert found.holds; print(found.verdict.p_value); "
        "import ewe_tf; assert 'checkout' in ewe_tf.__file__; "
        "assert not {'tensorflow', 'keras'} & set(sys.modules)"
    )
    run = subprocess.run(
        [sys.executable, "-c", program, bundle],
        cwd=checkout,
        capture_output=True,
        text=True,
        check=True,
    )
    assert float(run.stdout) == verdict.p_value

"""TLS is verified unless asked otherwise."""

import shutil
import ssl
import subprocess

import numpy as np
import pytest

from ewe_tf.oracle import Oracle
from ewe_tf.oracle import Remote

X = np.array([[1, 3], [3, 1]], np.float32)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A self-signed certificate for 127.0.0.1 with its key, as one file."""
    if shutil.which("openssl") is None:
        pytest.skip("the openssl program is not installed")
    folder = tmp_path_factory.mktemp("tls")
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-nodes", "-days", "2", "-newkey", "rsa:2048"),
            *("-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", key, "-out", certificate),
        ],
        check=True,
        capture_output=True,
    )
    return certificate, key


@pytest.fixture
def secure(script, certificate):
    script.stop()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    script.start(tls=context)
    return script


def test_unknown_authority_is_refused_and_nothing_is_sent(secure):
    oracle = Oracle(secure.url, answers="label")
    assert oracle.predict(X).tolist() == [-1, -1]
    assert oracle.ledger.refusals == {"certificate not verified": 2}
    assert (oracle.ledger.retries, secure.requests) == (0, [])


def test_own_authority(secure, certificate):
    oracle = Oracle(Remote(secure.url, tls=str(certificate[0])), answers="label")
    assert oracle.predict(X).tolist() == [1, 0]


def test_other_host_name_is_refused(secure, certificate):
    url = secure.url.replace("127.0.0.1", "localhost")
    oracle = Oracle(Remote(url, tls=str(certificate[0])), answers="label")
    assert oracle.predict(X).tolist() == [-1, -1]
    assert oracle.ledger.refusals == {"certificate not verified": 2}


def test_verification_can_be_switched_off(secure):
    assert Oracle(Remote(secure.url, tls=False), answers="label").predict(X).tolist() == [1, 0]

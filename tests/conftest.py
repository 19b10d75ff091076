"""What all tests share: the same global random state for each, and KServe's model server."""

import hashlib
import http.client
import os
import pathlib
import random
import shutil
import socket
import subprocess
import sys
import sysconfig
import time
import venv

import numpy as np
import pytest

KSERVE = "kserve>=0.15,<1"
START_SECONDS = 120


@pytest.fixture(autouse=True)
def same_global_randomness():
    random.seed(0)
    np.random.seed(0)
    if "keras" in sys.modules:
        sys.modules["keras"].utils.set_random_seed(0)


class KServe:
    """KServe's model server in a process of its own, serving one SavedModel.

    Attributes:
        url: The model's URL.
        faults: Folder; a file put there is the next request's fault (see kserve_server.py).
    """

    def __init__(self, python, saved_model, folder):
        self.faults = folder / "faults"
        self.faults.mkdir()
        self.url = None
        self._python, self._saved_model = python, saved_model
        self._log = folder / "log.txt"
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        self._process = None

    def start(self, wait=True):
        program = pathlib.Path(__file__).with_name("kserve_server.py")
        arguments = [self._saved_model, "toy", str(self._port), str(self.faults)]
        with open(self._log, "ab") as log:
            self._process = subprocess.Popen(
                [self._python, program, *arguments],
                stdout=log,
                stderr=log,
                env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
            )
        self.url = f"http://127.0.0.1:{self._port}/v1/models/toy"
        if wait:
            self._wait()

    def kill(self):
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def fail_next(self, *faults):
        """Sets the faults of the next requests, in this order; none of the earlier ones stays."""
        for path in self.faults.iterdir():
            path.unlink(missing_ok=True)
        for number, fault in enumerate(faults):
            (self.faults / f"{number:03d} {fault}").touch()

    def _wait(self):
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end and self._process.poll() is None:
            try:
                connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=5)
                connection.request("GET", "/v1/models/toy")
                if connection.getresponse().status == 200:
                    return
            except OSError:
                pass
            finally:
                connection.close()
            time.sleep(0.1)
        raise RuntimeError(f"KServe did not start:\n{self._log.read_text()[-3000:]}")


@pytest.fixture(scope="session")
def kserve_python():
    """A Python with KServe, made once and kept in the user's cache.

    KServe wants an older protobuf than the one beside TensorFlow, so it gets its own
    environment, which finds everything else, TensorFlow too, in the one of the tests.
    """
    packages = sysconfig.get_paths()["purelib"]
    name = hashlib.sha256(f"{KSERVE}|{packages}|{sys.version}".encode()).hexdigest()[:16]
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache")
    folder = cache / "ewe_tf" / f"kserve-{name}"
    python = folder / "bin" / "python"
    if (folder / "complete").exists():
        return python
    shutil.rmtree(folder, ignore_errors=True)
    venv.create(folder, with_pip=True)
    own = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_paths()['purelib'])"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    (pathlib.Path(own) / "tests.pth").write_text(packages + "\n")
    done = subprocess.run(
        [python, "-m", "pip", "install", "--quiet", KSERVE], capture_output=True, text=True
    )
    if done.returncode != 0:
        if "No matching distribution" in done.stderr or "onnection" in done.stderr:
            pytest.skip("KServe cannot be installed: pip reaches no registry")
        pytest.fail(f"KServe cannot be installed:\n{done.stderr[-3000:]}")
    (folder / "complete").touch()
    return python


@pytest.fixture
def kserve(kserve_python, tmp_path):
    """A function that serves a SavedModel and returns the running `KServe`."""
    servers = []

    def serve(saved_model):
        folder = tmp_path / f"kserve-{len(servers)}"
        folder.mkdir()
        servers.append(KServe(kserve_python, saved_model, folder))
        servers[-1].start()
        return servers[-1]

    yield serve
    for server in servers:
        server.kill()

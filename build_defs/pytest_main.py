"""Runs pytest on the file that Bazel names, and reports to Bazel in its own terms."""

import os
import sys

import pytest


class _Deselected:
    """Counts the tests that a marker expression leaves out."""

    def __init__(self):
        self.count = 0

    def pytest_deselected(self, items):
        self.count += len(items)


def _settle():
    """Makes the test's surroundings fit for TensorFlow and for child processes."""
    # HOME is unset in Bazel's tests, and caches want a place.
    os.environ.setdefault("HOME", os.environ.get("TEST_TMPDIR", "/tmp"))
    # A child process must find what this one finds.
    os.environ["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)


def main(args):
    _settle()
    options = ["-p", "no:cacheprovider", "--import-mode=importlib"]
    if "XML_OUTPUT_FILE" in os.environ:
        options.append("--junitxml=" + os.environ["XML_OUTPUT_FILE"])
    if os.environ.get("TESTBRIDGE_TEST_ONLY"):
        options.append("-k=" + os.environ["TESTBRIDGE_TEST_ONLY"])
    deselected = _Deselected()
    code = pytest.main(options + args, plugins=[deselected])
    # A file of slow tests alone is well; a file of no tests at all is not.
    if code == pytest.ExitCode.NO_TESTS_COLLECTED and deselected.count:
        return 0
    return int(code)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

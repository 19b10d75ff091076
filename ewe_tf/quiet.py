"""TensorFlow without what it says about graphics cards that are not there, and about many models.

No environment variable reaches the lines about cards: they are written before TensorFlow's logging
has started, or not by it. So what is written to the standard error meanwhile is held back, and all
but the known lines are passed on.
"""

import contextlib
import logging
import os
import re
import sys
import tempfile

_KNOWN = re.compile(
    rb"All log messages before absl::InitializeLog"
    rb"|oneDNN custom operations are on"
    rb"|Could not find cuda drivers"
    rb"|This TensorFlow binary is optimized"
    rb"|To enable the following instructions"
    rb"|Created TensorFlow Lite XNNPACK delegate"
)


@contextlib.contextmanager
def known_lines_held_back():
    """Whatever is written to the standard error within, but for the known lines, comes at the end.

    For programs: it takes the standard error of the whole process.
    """
    sys.stderr.flush()
    shown = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(shown, 2)
            os.close(shown)
            held.seek(0)
            for line in held:
                if not _KNOWN.search(line):
                    os.write(2, line)


@contextlib.contextmanager
def many_models():
    """Without the warning that Keras' functions are traced again and again.

    It is of no use where there are many models, each of which has functions of its own.
    """
    logger = logging.getLogger("tensorflow")
    logger.addFilter(_not_of_retracing)
    try:
        yield
    finally:
        logger.removeFilter(_not_of_retracing)


def _not_of_retracing(record):
    return "tf.function retracing" not in record.getMessage()


def import_tensorflow():
    """Imports tensorflow quietly; set TF_CPP_MIN_LOG_LEVEL=0 to hear everything."""
    # 3, for "cuInit failed" is an error to TensorFlow even where no card is expected.
    if os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3") == "0" or "tensorflow" in sys.modules:
        return
    with known_lines_held_back():
        import tensorflow  # noqa: F401

import subprocess
import sys


def test_the_statistics_need_no_tensorflow():
    program = (
        "import sys; import ewe_tf.verification as v; "
        "assert v.binomial_p_value(1, 2, 0.5) == 0.75; "
        "print([m for m in ('tensorflow', 'keras', 'torch', 'jax') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"

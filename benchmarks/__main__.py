"""`python -m benchmarks`: see `benchmarks.suite`."""

from absl import app

from benchmarks import suite

suite.define_flags()
app.run(suite.main)

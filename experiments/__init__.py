"""Programs: one thin file for each benchmark, over one runner of cached stages."""

from ewe_tf.quiet import import_tensorflow

import_tensorflow()

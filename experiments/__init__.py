"""Programs: one thin file for each benchmark, over one runner of cached stages."""

from experiments._quiet import import_tensorflow

import_tensorflow()

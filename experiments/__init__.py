"""Programs: one thin file for each benchmark, over a shared runner."""

from experiments._quiet import import_tensorflow

import_tensorflow()

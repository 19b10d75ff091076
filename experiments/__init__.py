<<<<<<< HEAD
"""Programs: one thin file for each benchmark, over a shared runner."""

from experiments._quiet import import_tensorflow

import_tensorflow()
=======
"""The programs that measure: thin files over one runner of cached stages."""
>>>>>>> rooms

"""Programs: one thin file for each benchmark, over a shared runner."""

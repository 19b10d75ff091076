"""The programs that measure: thin files over one runner of cached stages."""

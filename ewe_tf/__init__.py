"""Watermarks for Keras classifiers that survive model extraction."""

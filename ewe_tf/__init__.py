"""Watermarks for Keras classifiers that survive model extraction."""

__version__ = "0.1.0"

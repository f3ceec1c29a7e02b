"""Generating: from a corpus to a model that writes on."""

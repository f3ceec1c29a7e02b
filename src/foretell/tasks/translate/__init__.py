"""Translating: one sequence is read, another is written."""

"""Recall: how long a network remembers a symbol that it saw once. It makes its own data."""

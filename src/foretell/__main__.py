"""``python -m foretell``."""

from .cli.main import main

main()

"""``python -m benchmarks.scale [PART...]``: stores, several processes, Ray; prints what docs/scale.md tells."""

import sys
from importlib import import_module

from ..measure import machine

PARTS = {
    "tables": "A table larger than memory",
    "tokens": "A corpus larger than memory",
    "training": "One training in several processes",
    "cluster": "Many trainings, elsewhere",
}


def main() -> None:
    """Measures the parts that are named, or all."""
    unknown = [name for name in sys.argv[1:] if name not in PARTS]
    if unknown:
        sys.exit(f'there is no part "{unknown[0]}"; parts are {", ".join(PARTS)}')
    print(machine(), flush=True)
    for name, title in PARTS.items():
        if name in (sys.argv[1:] or PARTS):
            print(f"\n## {title}\n", flush=True)
            import_module(f"{__package__}.{name}").main()


if __name__ == "__main__":
    main()

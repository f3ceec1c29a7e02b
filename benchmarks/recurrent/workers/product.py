"""The limit: one large matrix product in single precision, as fast as torch does it with all threads."""

from collections.abc import Iterator

import torch

from ..cases import Case
from ..serving import Variant, serve

SIZE = 2048
FLOPS = 2 * SIZE**3


def variants(case: Case, dropout: bool) -> Iterator[Variant]:
    """The same product, whatever the case."""
    left, right, out = (torch.rand(SIZE, SIZE) for _ in range(3))

    def step() -> float:
        torch.mm(left, right, out=out)
        return float(out[0, 0])

    yield Variant("torch.mm", step)


if __name__ == "__main__":
    serve({"torch": torch.__version__}, variants)

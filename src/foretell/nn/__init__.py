"""Networks and their parts: tensors in, tensors out. Nothing here knows of files, tables or tasks."""

from .initialisation import initialise
from .networks import GRUNetwork, PerceptronNetwork

__all__ = ["GRUNetwork", "PerceptronNetwork", "initialise"]

"""A list of made molecules as SMILES, and a checker: RDKit's where it is installed, else our own of their grammar.

Weininger, "SMILES, a chemical language and information system" (1988).
"""

import random
import re
from importlib import import_module
from importlib.util import find_spec
from typing import Any

# What a chain may hold, each with one bond to what is before it and one to what follows.
_LINKS = (
    "C",
    "CC",
    "CCC",
    "C(C)",
    "C(C)(C)",
    "C(=O)",
    "C(=O)N",
    "N",
    "O",
    "S",
    "C(O)",
    "C(F)(F)",
    "C=C",
    "C(N)",
    "C(=O)O",
)
_RINGS = (
    "c{n}ccc({rest})cc{n}",
    "c{n}cccc({rest})c{n}",
    "C{n}CCC({rest})CC{n}",
    "C{n}CCN({rest})CC{n}",
    "c{n}cc({rest})cnc{n}",
)
_ENDS = ("C", "O", "N", "F", "Cl", "Br", "C#N", "C(F)(F)F", "C(=O)O", "OC", "N(C)C", "c1ccccc1", "C1CCCC1", "c1ccncc1")
_HETERO = ("N", "O", "S")
_TOKEN = re.compile(r"Cl|Br|[BCNOFSPI]|[cnops]|[()=#]|\d")
_VALENCE = {
    "C": 4,
    "N": 3,
    "O": 2,
    "S": 6,
    "F": 1,
    "Cl": 1,
    "Br": 1,
    "I": 1,
    "B": 3,
    "P": 5,
    "c": 4,
    "n": 3,
    "o": 2,
    "s": 2,
}


def molecule_list(molecules: int, seed: int = 0) -> str:
    """So many different molecules, one a line.

    >>> lines = molecule_list(5).splitlines()
    >>> len(set(lines)), [grammatical(line) for line in lines]
    (5, [True, True, True, True, True])
    """
    chance = random.Random(seed)
    found: dict[str, None] = {}
    while len(found) < molecules:
        found[_molecule(chance)] = None
    return "\n".join(found) + "\n"


CHECKER = "our own checker" if find_spec("rdkit") is None else "RDKit"


def parses(smiles: str) -> bool:
    """Whether a line is a molecule: to RDKit where that is installed, else to our own checker."""
    if CHECKER != "RDKit":
        return grammatical(smiles)
    chem: Any = import_module("rdkit.Chem")
    import_module("rdkit.RDLogger").DisableLog("rdApp.*")
    return bool(smiles) and chem.MolFromSmiles(smiles) is not None


def grammatical(smiles: str) -> bool:
    """Whether branches and rings close, and no atom has more bonds than it may.

    >>> grammatical("CC(=O)O"), grammatical("CC(=O"), grammatical("FF(C)"), grammatical("c1ccccc1")
    (True, False, False, True)
    """
    tokens = _TOKEN.findall(smiles)
    if not smiles or "".join(tokens) != smiles:
        return False
    atoms: list[str] = []
    bonds: list[int] = []
    branches: list[int] = []
    rings: dict[str, tuple[int, int]] = {}
    last, order = -1, 1
    before = ""
    for token in tokens:
        if token == "(":
            if last < 0 or before == "(":
                return False
            branches.append(last)
        elif token == ")":
            if not branches or before in "(=#":
                return False
            last = branches.pop()
        elif token in "=#":
            if last < 0 or before in ("=", "#"):
                return False
            order = 2 if token == "=" else 3
        elif token.isdigit():
            if last < 0 or before == "(":
                return False
            if token in rings:
                other, own = rings.pop(token)
                if other == last:
                    return False
                bonds[other] += own
                bonds[last] += own
            else:
                rings[token] = (last, order)
            order = 1
        else:
            atoms.append(token)
            bonds.append(int(token.islower() and token in "cn"))  # a share of the ring's double bonds
            if last >= 0:
                bonds[-1] += order
                bonds[last] += order
            last, order = len(atoms) - 1, 1
        before = token
    whole = not branches and not rings and order == 1 and before not in "=#"
    return whole and all(own <= _VALENCE[atom] for atom, own in zip(atoms, bonds, strict=True))


def _molecule(chance: random.Random) -> str:
    parts = [chance.choice(("C", "CC", "N", "O", "F", "Cl"))]
    for _ in range(chance.randint(1, 4)):
        link = chance.choice(_LINKS)
        if parts[-1][-1] in (*_HETERO, "F", "l") and (link[0] in _HETERO or parts[-1] in ("F", "Cl")):
            link = "C"
        parts.append(link)
    end = chance.choice(_ENDS)
    if parts[-1][-1] in _HETERO and end[0] not in "Cc":
        end = "C"
    chain = "".join(parts)
    if chance.random() < 0.5:
        ring = chance.choice(_RINGS).format(n=2, rest=end)
        return chain + ring
    return chain + end

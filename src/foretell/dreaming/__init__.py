"""Gradient ascent on pictures: what a trained network shall see more of, at which scales, tile by tile."""

from .ascent import Ascent, Step, ascend
from .backbone import PROBED, Backbone, Layer
from .objectives import Objective, channel, channels_of, layer, neuron, towards
from .octaves import Octave, Watcher, dream_up, octave_sizes
from .scaling import resized
from .tensors import Pixels, pixels_of, tensor_of

__all__ = [
    "PROBED",
    "Ascent",
    "Backbone",
    "Layer",
    "Objective",
    "Octave",
    "Pixels",
    "Step",
    "Watcher",
    "ascend",
    "channel",
    "channels_of",
    "dream_up",
    "layer",
    "neuron",
    "octave_sizes",
    "pixels_of",
    "resized",
    "tensor_of",
    "towards",
]

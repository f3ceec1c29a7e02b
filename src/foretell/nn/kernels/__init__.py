"""Fused kernels for recurrent layers on the processor; :mod:`.fused` is their door, imported when first needed."""

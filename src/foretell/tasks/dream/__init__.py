"""Dreaming: a picture, or noise, in which a trained network sees more and more of what it knows."""

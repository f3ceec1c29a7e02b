"""Trainings on many processors and machines."""

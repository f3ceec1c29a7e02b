"""Configurations that are shipped: experiments with a name."""

"""Every speed that Foretell claims, measured beside its peers in one run: ``make bench``."""

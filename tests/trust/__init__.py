"""Bad luck and bad intent: nothing lost, nothing let in, nothing leaked. Small in CI, long under ``make trust``."""

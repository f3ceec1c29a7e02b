"""Beyond one machine, and beyond memory: what it costs."""

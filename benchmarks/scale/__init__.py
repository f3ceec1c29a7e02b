"""Beyond one machine, and beyond memory."""

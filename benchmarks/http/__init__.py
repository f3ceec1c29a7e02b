"""A service under load from another process."""

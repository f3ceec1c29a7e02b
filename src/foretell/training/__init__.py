"""One visible loop, what it needs to be repeated exactly, and what it needs to be stopped at any moment."""

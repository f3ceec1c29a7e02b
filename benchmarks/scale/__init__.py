"""What is larger than memory, or than one machine."""

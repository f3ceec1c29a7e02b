"""Figures from panels, and the self-contained page that shows them."""

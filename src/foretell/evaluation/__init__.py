"""How good a model is, beside what a simple rule would have done, and how surely."""

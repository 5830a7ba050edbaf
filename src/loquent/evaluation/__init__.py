"""How good a model is: scores with their intervals, and what they hide."""

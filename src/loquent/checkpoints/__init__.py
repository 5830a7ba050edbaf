"""Files to networks and back: weights are memory-mapped arrays under our names."""

"""A checkpoint: a description of a network, its weights under our names, and its tokenizer."""

"""Measuring Loquent beside its peers; `bench/peers.py` is the command."""

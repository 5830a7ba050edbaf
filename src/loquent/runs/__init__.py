"""Runs: a plan becomes a folder with a trained network, and can go on where it was stopped."""

"""Voices: a network that speaks, with words at one end and sound at the other."""

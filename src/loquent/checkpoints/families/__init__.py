"""Families of networks as data: how others spell their settings and weights."""

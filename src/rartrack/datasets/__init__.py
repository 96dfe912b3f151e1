"""Sequences from the layouts data sets are published in."""

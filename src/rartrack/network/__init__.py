"""Crops to features: backbone, attention, refinement (paper, Secs. 3.1 and 3.2)."""

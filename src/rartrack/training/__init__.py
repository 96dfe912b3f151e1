"""Clips, augmentation and the training loop (paper, Sec. 3.4)."""

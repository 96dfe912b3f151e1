"""The online loop: init, update, and the state between frames (paper, Sec. 3.4)."""

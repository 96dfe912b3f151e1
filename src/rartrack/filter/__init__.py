"""Features to response: the contextual correlation filter (paper, Sec. 3.3)."""

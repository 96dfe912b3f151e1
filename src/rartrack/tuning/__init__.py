"""Choose tracking settings on validation videos by a seeded search."""

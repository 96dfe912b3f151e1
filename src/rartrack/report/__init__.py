"""Tables, plots and pages from raw results."""

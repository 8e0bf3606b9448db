"""One module per kind of scan: preprocessing in NumPy and what the lane measures from a network's output."""

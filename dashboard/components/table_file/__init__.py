"""A table chosen as a file, read in the browser."""

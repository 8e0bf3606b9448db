"""Pure NumPy: arrays and spacings in, values with units out."""

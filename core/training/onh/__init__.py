"""Training of the ONH en-face networks: joint grade and masks, and the encoder alone for the comparison."""

"""The only rooms besides networks and training that load torch: weights in, arrays out."""

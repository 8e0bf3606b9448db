"""The recipe `layers`: retinal layers in B-scans, on a user's folder, the public Duke set and phantoms (paper 004)."""

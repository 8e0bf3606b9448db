"""QU-Net++: which images of a folder should be annotated next, the network that says so, and whether it is right."""

"""One door to deep learning: the contract is free of torch; only registry and torch_backend load it."""

"""Simulated programmes in which the truth is known, and what the statistics of this room say of them."""

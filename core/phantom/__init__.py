"""Simulated scans with exact truth. Pure and seeded."""

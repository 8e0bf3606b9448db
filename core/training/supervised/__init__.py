"""Trains a network on a user's own labelled images: folder check, parts, fit, figures, card. One recipe per task."""

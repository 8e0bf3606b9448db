"""Data, recipes, fitting and evaluation of models."""

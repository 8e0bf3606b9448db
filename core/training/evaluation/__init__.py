"""How good a model is, measured through the scorer that the product uses: cases, figures, curves, report, page."""

"""Parts that pages are built from: panels of our own HTML, the image viewer, chips and tables. Knows no SQL."""

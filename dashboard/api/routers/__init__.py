"""The API's routes, one module per topic. Thin: each calls the function that the page calls."""

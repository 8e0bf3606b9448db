"""The bar above a scan that is reviewed: place in the list, undo, who else looks, keys."""

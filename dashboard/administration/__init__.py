"""The parts of the Admin page: one module per list, each drawing what there is and a form for one more."""

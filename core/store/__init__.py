"""Every SELECT and INSERT, one module per aggregate, and the read models of the pages."""

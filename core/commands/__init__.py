"""One module per command of `octaudit`, each exposing ``command``. Thin: options in, use case called, result printed.

Modules here import nothing heavy at their top: `octaudit --help` loads all of them.
"""

"""Published results, run again: ``python -m reproductions --help``."""

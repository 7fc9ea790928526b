"""Studies: many experiments under one protocol, their tables, figures and report; ``python -m bundle study``."""

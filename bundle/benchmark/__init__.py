"""How fast the bundle is, beside the code that others published: ``python -m bundle benchmark``."""

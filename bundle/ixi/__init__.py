"""IXI from its two archives to aligned pairs and a datalist: ``python -m bundle ixi DIR``.

A tool beside the path that data take; a scheduler may be handed :func:`prepare_subject`.
"""

from .subject import prepare_subject

__all__ = ["prepare_subject"]

"""The bundle as an app of MONAI Label, for Slicer and other clients: reconstructs and trains on a folder of studies.

``python -m bundle label STUDIES`` starts the server. Only ``app``, ``infer``, ``train`` and ``server`` import MONAI
Label, which has an environment of its own (``make label-demo``, docs/monai_label.md).
"""

from __future__ import annotations

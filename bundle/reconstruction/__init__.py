"""One pair of files to a reconstruction, from Python and as ``python -m bundle reconstruct``.

The pipeline is that of configs/inference.yaml. This package imports nothing by itself, so that the command's help comes
before MONAI has been loaded.
"""

from __future__ import annotations

__all__ = ["SETTINGS"]

# those of inference.yaml that can be given, beside files and weights
SETTINGS = """t1_series t2_series output_format save_uncertainty pattern acceleration center_fraction noise_level
noise_unit phase_level visible register_to check_guide image_size seed device amp channels_last compile
mirroring""".split()

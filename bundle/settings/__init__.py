"""Settings: what each id at the top of the configs may be (:mod:`.declaration`), and values of the command line.

What needs MONAI's parser, the check at the beginning of a run, stands apart in :mod:`.merged`.
"""

from __future__ import annotations

from .checks import check_values, checked_device
from .declaration import MAY_CHANGE, Settings
from .words import checked_range, flag, plain, whole_number

__all__ = ["MAY_CHANGE", "Settings", "check_values", "checked_device", "checked_range", "flag", "plain", "whole_number"]

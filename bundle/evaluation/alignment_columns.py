"""How T1 was brought onto T2's grid, as numbers for a table."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

__all__ = ["ALIGNMENT_COLUMNS", "alignment_columns"]

ALIGNMENT_COLUMNS = (
    "t1_registered",
    "t1_rotation_degrees",
    "t1_shift_mm",
    "t1_mutual_information_before",
    "t1_mutual_information_after",
)


def alignment_columns(alignment: Mapping) -> dict[str, float]:
    """A volume's :data:`ALIGNMENT_COLUMNS`; NaN for what the preprocessing does not report.

    Args:
        alignment: what :class:`bundle.data.RigidAlignmentd` reports.

    Returns:
        1 for a T1 that was registered and 0 for one that was placed by the headers; the angle of the rotation; the
        length of the shift of the head's centre; mutual information in nats by the headers and by the registration.
    """
    rotation, shift = (alignment.get(key, np.nan) for key in ("rotation_degrees", "translation_mm"))
    values = (
        alignment.get("registered", np.nan),
        np.linalg.norm(rotation),
        np.linalg.norm(shift),
        alignment.get("mutual_information_before", np.nan),
        alignment.get("mutual_information_after", np.nan),
    )
    return dict(zip(ALIGNMENT_COLUMNS, map(float, values)))

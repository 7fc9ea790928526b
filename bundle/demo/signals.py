"""How bright a tissue is in each contrast: its proton density and relaxation times, and two signal equations.

* T2w, spin echo: ``PD * (1 - exp(-TR / T1)) * exp(-TE / T2)``
* T1w, spoiled gradient echo: ``PD * sin(a) * (1 - E) / (1 - E * cos(a))`` with ``E = exp(-TR / T1)``
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["DENSITY", "LESION", "T1", "T2", "TISSUES", "spin_echo", "spoiled_gradient_echo"]

Values = NDArray[np.float64] | float

TISSUES = ("white matter", "grey matter", "fluid", "fat", "muscle")
# proton density, T1 and T2 in ms, at 1.5 T (literature, rounded); bone and air give no signal and need no map
DENSITY = np.array([0.70, 0.82, 1.00, 0.55, 0.70])
T1 = np.array([600.0, 1100.0, 4000.0, 300.0, 900.0])
T2 = np.array([76.0, 94.0, 900.0, 110.0, 42.0])
LESION = (0.88, 1250.0, 170.0)


def spin_echo(density: Values, t1: Values, t2: Values, repetition: float = 5000.0, echo: float = 100.0) -> NDArray:
    """Spin-echo signal; times in ms."""
    return density * (1 - np.exp(-repetition / t1)) * np.exp(-echo / t2)


def spoiled_gradient_echo(density: Values, t1: Values, repetition: float = 9.8, flip: float = 18.0) -> NDArray:
    """Spoiled gradient-echo (FLASH) signal; times in ms, flip angle in degrees."""
    recovery, angle = np.exp(-repetition / t1), np.deg2rad(flip)
    return density * np.sin(angle) * (1 - recovery) / (1 - recovery * np.cos(angle))

"""The tissues' signals follow the two pulse sequences' equations."""

from __future__ import annotations

import numpy as np
import pytest

from bundle.demo.signals import spin_echo, spoiled_gradient_echo


def test_spin_echo_follows_its_two_exponentials():
    density, t1, t2 = np.array([0.7]), np.array([600.0]), np.array([80.0])
    late, early = (spin_echo(density, t1, t2, echo=echo) for echo in (160.0, 80.0))
    assert late / early == pytest.approx(np.exp(-1))
    assert spin_echo(density, t1, t2, repetition=1e9, echo=0) == pytest.approx(density)


def test_gradient_echo_at_90_degrees_is_saturation_recovery():
    signal = spoiled_gradient_echo(np.array([0.8]), np.array([600.0]), repetition=600.0, flip=90.0)
    assert signal == pytest.approx(0.8 * (1 - np.exp(-1)))

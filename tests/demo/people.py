"""The simulated people that the tests of the demo data look at: each takes seconds, as does the average head."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bundle.demo import phantom
from bundle.demo.person import individual_head, individual_tissues
from bundle.demo.phantom import make_demo_dataset
from bundle.demo.tissues import template_head
from tests.early import Early, apart, new_folder

SMALL = {"subjects": (1, 1, 0), "matrix": 96}


def make(folder: Path) -> None:
    template, one = template_head(), SMALL | {"subjects": (1, 0, 0)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(phantom, "template_head", lambda: template)
        for name, settings in {"demo": SMALL, "again": one, "other": one | {"seed": 1}}.items():
            make_demo_dataset(folder / name, **settings)
    half = template[:, ::2, ::2, ::2]  # in an eighth of the time
    person = individual_head(half, np.random.default_rng(5))
    fractions = individual_tissues(half, np.random.default_rng(5))
    np.savez(folder / "half.npz", t1=person.t1, t2=person.t2, fractions=fractions)


@Early
def people() -> Path:
    """A folder with ``demo``, two people, ``again``, the first of them, ``other``, the first of another seed, and
    ``half.npz``, a person on half of the grid and its tissue fractions.
    """
    folder = new_folder()
    apart(make, folder)
    return folder

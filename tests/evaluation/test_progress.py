"""The bar of a reconstruction counts slices and changes nothing."""

from __future__ import annotations

import torch
from monai.inferers import SliceInferer

from bundle.evaluation import progress


def test_the_bar_counts_each_slice_once_and_the_image_is_the_other_inferers(monkeypatch):
    bars = []
    made = progress.progress_bar
    monkeypatch.setattr(
        progress, "progress_bar", lambda **options: bars.append(made(**options, disable=False)) or bars[0]
    )
    volume = torch.rand(1, 4, 16, 16, 7)
    inferer = SliceInferer(roi_size=[-1, -1], spatial_dim=2, sw_batch_size=4)
    found = progress.ProgressInferer(inferer)(volume, lambda slices: slices[:, :1])
    assert torch.equal(found, inferer(volume, lambda slices: slices[:, :1]))
    assert (bars[0].n, bars[0].total) == (7, 7)


def test_who_wants_to_know_is_told_after_each_batch():
    told = []
    inferer = SliceInferer(roi_size=[-1, -1], spatial_dim=2, sw_batch_size=4)
    wrapped = progress.ProgressInferer(inferer, lambda done, slices: told.append((done, slices)))
    wrapped(torch.rand(1, 4, 16, 16, 7), lambda slices: slices[:, :1])
    assert told == [(4, 7), (7, 7)]

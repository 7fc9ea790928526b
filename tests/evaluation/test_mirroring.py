"""A slice and its mirror image, averaged: mirrored exactly, alike from both sides, and better on a real head."""

from __future__ import annotations

import json

import nibabel as nib
import pytest
import torch
from monai.inferers import SliceInferer

from bundle.errors import BundleError
from bundle.evaluation import MirroringInferer, ProgressInferer
from bundle.fourier import mirrored
from bundle.networks import Unrolled
from bundle.networks.zero_filled import ZeroFilled
from tests import bundle_runs

SLICES = SliceInferer(roi_size=[-1, -1], spatial_dim=2, sw_batch_size=4)


def scan(height: int = 16, slices: int = 3) -> torch.Tensor:
    kspace = torch.randn(1, 4, height, 16, slices)
    kspace[:, 2:, :, 1::2] = 0
    return kspace


def test_the_reconstruction_of_the_mirrored_scan_is_the_mirrored_reconstruction():
    network, volume = Unrolled(2, (4, 8)).eval(), scan()
    for weight in network.parameters():  # random ones at the end, too, where a new network has zeros
        torch.nn.init.normal_(weight, std=0.1)
    turned = mirrored(volume.movedim(-1, 0), (-2,)).movedim(0, -1)
    both = MirroringInferer(SLICES)
    with torch.inference_mode():
        found, of_turned, plain = both(volume, network), both(turned, network), SLICES(volume, network)
    torch.testing.assert_close(of_turned, mirrored(found.movedim(-1, 0), (-2,)).movedim(0, -1))
    assert not torch.allclose(found, plain)


def test_zero_filling_which_is_the_same_mirrored_is_changed_by_nothing_but_rounding():
    volume = scan()
    torch.testing.assert_close(MirroringInferer(SLICES)(volume, ZeroFilled()), SLICES(volume, ZeroFilled()))


def test_switched_off_it_is_the_other_inferer():
    network, volume = Unrolled(1, (4,)).eval(), scan()
    with torch.inference_mode():
        assert torch.equal(MirroringInferer(SLICES, enabled=False)(volume, network), SLICES(volume, network))
    with pytest.raises(BundleError, match="mirroring"):
        MirroringInferer(SLICES, enabled="perhaps")


def test_a_slice_is_counted_once():
    told = []
    inferer = MirroringInferer(ProgressInferer(SLICES, lambda done, slices: told.append((done, slices))))
    inferer(scan(slices=7), ZeroFilled())
    assert told == [(4, 7), (7, 7)]


@pytest.mark.slow
def test_evaluation_of_a_real_head_is_better_with_it_and_says_so(shared_data, tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    for key in ("t1", "t2"):
        image = nib.load(shared_data / f"ms-longitudinal/patient03/ses-2/{key.upper()}w.nii.gz")
        nib.save(image.slicer[:, :, 18:26], data / f"{key}.nii")
    item = {"subject": "patient03", "t1": "t1.nii", "t2": "t2.nii"}
    (data / "datalist.json").write_text(json.dumps({"training": [], "validation": [], "test": [item]}))
    files = {"dataset_dir": str(data), "cache_dir": str(tmp_path / "cache"), "checkpoint": "models/model.pt"}
    psnr = {}
    for mirroring in (False, True):
        out = tmp_path / str(mirroring)
        bundle_runs.run("evaluating", output_dir=str(out), **files, device="cpu", mirroring=mirroring)
        told = json.loads((out / "metrics_summary.json").read_text())
        assert told["settings"]["mirroring"] is mirroring
        psnr[mirroring] = told["metrics"]["psnr"]["mean"]
    assert psnr[True] > psnr[False] + 0.1  # dB

"""T1 is left out where samples that were held back are better predicted without it, and only there."""

from __future__ import annotations

import json
import logging

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import torch
from monai.inferers import SliceInferer
from torch import Tensor, nn

from bundle.acquisition import make_mask
from bundle.errors import BundleError
from bundle.evaluation import GuideCheckd
from bundle.evaluation.guide_check import held_back
from bundle.fourier import complex_to_channels, fft2c
from bundle.networks.inputs import t1_magnitude, t2_magnitude
from tests import bundle_runs

SHAPE = (64, 96)
HEAD = torch.full((6, *SHAPE), 0.2)
HEAD[:, 6:50, 10:70] = 1 + torch.rand(6, 44, 60, generator=torch.Generator().manual_seed(0))
OTHER = HEAD.roll((9, 14), dims=(1, 2))


class Trusting(nn.Module):
    """Takes T1 for T2; where there is none, what was sampled."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Tensor] = []

    def forward(self, image: Tensor) -> Tensor:
        self.seen += list(image)
        t1 = t1_magnitude(image)
        return torch.where(t1.amax((1, 2, 3), keepdim=True) > 1e-6, t1, t2_magnitude(image))


@pytest.fixture
def network() -> Trusting:
    return Trusting()


@pytest.fixture
def place(make_volumes) -> str:
    return make_volumes()[0].place.as_text()


def scanned(t1: Tensor, place: str, pattern: str = "random", t2: Tensor = HEAD) -> dict:
    mask = torch.from_numpy(make_mask(pattern, 3).sample(*SHAPE))
    kspaces = torch.cat([complex_to_channels(fft2c(t1)), complex_to_channels(fft2c(t2)) * mask], dim=1)
    scale = torch.ones(1, 1, 1, len(t2))
    return {"image": kspaces.permute(1, 2, 3, 0), "scale": scale, "mask": mask, "hermitian": True, "place": place}


def check(network: nn.Module, **settings) -> GuideCheckd:
    inferer = SliceInferer(roi_size=(-1, -1), spatial_dim=2, sw_batch_size=4)
    return GuideCheckd(lambda: network, inferer, "cpu", **{"enabled": True} | settings)


@pytest.mark.parametrize("pattern", ["random", "uniform", "radial", "spiral"])
def test_own_t1_stays_and_one_of_another_head_is_left_out(network, place, caplog, pattern):
    own, other = (scanned(t1, place, pattern) for t1 in (HEAD, OTHER))
    with caplog.at_level(logging.INFO, "bundle.evaluation.guide_check"):
        kept, left_out = check(network)(own), check(network)(other)
    assert torch.equal(kept["image"], own["image"]) and kept["guide_error"] < 0.2
    assert not left_out["image"][:2].any() and torch.equal(left_out["image"][2:], other["image"][2:])
    assert left_out["guide_error"] > 1 and other["image"][:2].any()  # a copy
    assert [record.levelname for record in caplog.records] == ["INFO", "WARNING"]
    assert "T1 helps" in caplog.messages[0] and "T1 was left out" in caplog.messages[1]


def test_slices_of_air_have_little_say(network, place):
    mixed = scanned(torch.cat((HEAD[:1], OTHER[1:])), place, "uniform")
    air = torch.tensor([1, 0.01, 0.01, 0.01, 0.01, 0.01]).reshape(1, 1, 1, 6)
    assert check(network)(mixed)["guide_error"] > 1
    assert check(network)(mixed | {"scale": air})["guide_error"] < 0.2


def test_error_is_that_at_the_samples_held_back_with_t1_over_that_without(network, place):
    t1 = 0.9 * HEAD + 0.1 * OTHER
    item = scanned(t1, place)
    error = check(network)(item)["guide_error"]

    def kspace_of(image):
        return np.fft.fftshift(np.fft.fft2(image), axes=(1, 2))

    def image_of(kspace):
        return np.fft.ifft2(np.fft.ifftshift(kspace, axes=(1, 2)))

    held, full = held_back(item["mask"], True).numpy(), kspace_of(HEAD.numpy())
    given = full * (item["mask"].numpy() & ~held)
    rows, columns = (np.arange(size) - size // 2 for size in SHAPE)
    smooth = image_of(given * np.exp(-(rows[:, None] ** 2 + columns**2) / (2 * 4.0**2)))
    found = [kspace_of(image * np.exp(1j * np.angle(smooth))) for image in (t1.numpy(), np.abs(image_of(given)))]
    with_t1, without = (np.square(np.abs(one - full)[:, held]).sum() for one in found)
    assert error == pytest.approx(with_t1 / without, rel=1e-3)


def test_network_never_sees_a_sample_that_is_held_back(network, place):
    item = scanned(HEAD, place)
    check(network)(item)
    held = held_back(item["mask"], True)
    assert held.any() and len(network.seen) == 12  # six slices, twice
    assert not any(image[2:, held].any() for image in network.seen)
    assert all(image[2:, item["mask"] & ~held].any() for image in network.seen)


@pytest.mark.parametrize("pattern", ["random", "uniform", "fastmri_equispaced"])
def test_whole_lines_are_held_back_every_fifth_outside_the_centre(pattern):
    mask = torch.from_numpy(make_mask(pattern, 4).sample(64, 128))
    for turned in (mask, mask.T):
        held = held_back(turned, hermitian=False)
        lines, back = (points.any(0 if turned is mask else 1) for points in (turned, held))
        assert torch.equal(held, turned & (held.any(0, keepdim=True) if turned is mask else held.any(1, keepdim=True)))
        away = (torch.arange(128) - 64).abs() > 0.04 * 128
        assert not back[~away].any()
        assert int(back.sum()) == (int(lines[away].sum()) + 3) // 5


@pytest.mark.parametrize("pattern", ["radial", "spiral"])
def test_of_a_2d_mask_every_fifth_point_outside_the_centre_is_held_back(pattern):
    mask = torch.from_numpy(make_mask(pattern, 4).sample(64, 64))
    held = held_back(mask, hermitian=False)
    assert not (held & ~mask).any() and not held[31:34, 31:34].any()
    assert 0.17 < held.sum() / mask.sum() < 0.2


@pytest.mark.parametrize("size", [64, 63])
@pytest.mark.parametrize("pattern", ["random", "uniform", "radial", "spiral"])
def test_what_is_held_back_of_hermitian_kspace_is_not_told_by_the_points_opposite(pattern, size):
    mask = torch.from_numpy(make_mask(pattern, 3).sample(size, size))
    held, alone = held_back(mask, hermitian=True), held_back(mask, hermitian=False)
    rows, columns = (at - size // 2 for at in torch.nonzero(mask & ~held, as_tuple=True))
    there = (rows.abs() < size / 2) & (columns.abs() < size / 2)  # a point of the border has none opposite
    assert not held[size // 2 - rows[there], size // 2 - columns[there]].any()
    assert not (held & ~mask).any() and (alone & held).sum() == alone.sum() <= held.sum() <= 2 * alone.sum()


def test_few_slices_of_a_large_volume_are_asked_evenly_spread(network, place):
    t2 = HEAD[:1].repeat(50, 1, 1) * torch.arange(1, 51)[:, None, None]
    check(network, slices=4)(scanned(t2, place, t2=t2))
    brightness = [float(t1_magnitude(image[None]).max() / HEAD[0].max()) for image in network.seen[:4]]
    assert brightness == pytest.approx([11, 21, 30, 40], abs=1) and len(network.seen) == 8


def test_nothing_is_asked_where_it_is_not_wanted_or_there_is_no_t1(network, place):
    item = scanned(HEAD, place)
    without = item | {"image": torch.cat((torch.zeros_like(item["image"][:2]), item["image"][2:]))}
    for made, given in ((check(network, enabled=False), item), (check(network), without)):
        found = made(given)
        assert torch.equal(found["image"], given["image"]) and "guide_error" not in found
    assert not network.seen


def test_scan_of_the_centre_alone_cannot_be_asked_and_says_so(network, place, caplog):
    item = scanned(HEAD, place)
    item["mask"] = torch.zeros(SHAPE, dtype=torch.bool)
    item["mask"][:, 46:51] = True
    assert torch.equal(check(network)(item)["image"], item["image"]) and "nothing was sampled outside" in caplog.text


@pytest.mark.parametrize("name", ["coverage", "structures"])
def test_what_is_of_reconstructions_with_t1_is_refused_beside_it_before_anything_is_read(tmp_path, name):
    with pytest.raises(Exception) as told:
        bundle_runs.run(
            "evaluating", output_dir=str(tmp_path), checkpoint="models/model.pt", check_guide=True, **{name: True}
        )
    assert f"give one of check_guide and {name}." in bundle_runs.sentence_of(told.value)


@pytest.mark.parametrize("visible", ["t1", ["t1"]])
def test_without_t2_there_are_no_samples_to_hold_back(network, visible):
    check(network, enabled=False, visible=visible)
    with pytest.raises(BundleError, match=r"visible \['t1'\] hides T2; leave out check_guide"):
        check(network, visible=visible)


def test_several_coils_and_no_slice_are_refused(network, place):
    check(network, enabled=False, beside={"structures": True})
    with pytest.raises(BundleError, match="asks 1 slice of a volume or more, not 0"):
        check(network, slices=0)
    item = scanned(HEAD, place)
    with pytest.raises(BundleError, match="scans of one coil, 4 channels; this one has 6"):
        check(network)(item | {"image": torch.cat((item["image"], item["image"][:2]))})


@pytest.mark.slow
def test_evaluation_of_real_heads_keeps_their_own_t1_and_leaves_out_anothers(shared_data, tmp_path, capfd):
    folders = {"patient03": "ms-longitudinal/patient03/ses-2", "patient26": "ms-cross-mni/patient26"}
    items = [{"subject": name, "t1": f"{name}_t1.nii", "t2": f"{name}_t2.nii"} for name in folders]
    data = tmp_path / "data"
    data.mkdir()
    for item in items:
        for key in ("t1", "t2"):
            image = nib.load(shared_data / folders[item["subject"]] / f"{key.upper()}w.nii.gz")
            middle = slice(78, 94) if item["subject"] == "patient26" else slice(14, 30)
            nib.save(image.slicer[:, :, middle], data / item[key])
    (data / "datalist.json").write_text(json.dumps({"training": [], "validation": [], "test": items}))
    files = {"dataset_dir": str(data), "cache_dir": str(tmp_path / "cache"), "checkpoint": "models/model.pt"}
    settings = {"check_guide": True, "acceleration": 6, "image_size": 256, "device": "cpu"}
    other = {"guide": {"_target_": "bundle.acquisition.OtherSubjectGuide"}}
    for guide, expected in (({}, "T1 helps"), (other, "T1 was left out")):
        out = tmp_path / ("other" if guide else "own")
        bundle_runs.run("evaluating", output_dir=str(out), **files, **settings, **guide)
        assert "".join(capfd.readouterr()).count(expected) == 2
        assert json.loads((out / "metrics_summary.json").read_text())["settings"]["check_guide"] is True
        errors = pd.read_csv(out / "metrics.csv")["guide_error"]
        assert len(errors) == 2 and ((errors < 1) == (guide == {})).all()

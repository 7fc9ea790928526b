"""From a raw file to the NIfTI of its reconstruction by the network, through the config as users run it."""

from __future__ import annotations

import json

import monai.bundle
import nibabel as nib
import numpy as np
import pytest
import torch

from bundle.errors import BundleError
from bundle.kspace import RawDataset, raw_items
from bundle.kspace.images import read_image
from bundle.networks import MANet, Unrolled
from tests.bundle_runs import ROOT, sentence_of
from tests.kspace.raw_files import kspace_of, middle, slices_of_a_head, write_array, write_fastmri

SLICES, HEIGHT, WIDTH, CROP = 4, 64, 52, 40


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> dict:
    """T2 of 4 coils with a phase, every third line; the same fully sampled; T1 on another place of the same grid."""
    folder = tmp_path_factory.mktemp("raw")
    image = slices_of_a_head(SLICES, HEIGHT, WIDTH)
    kspace = kspace_of(image * np.exp(1j * np.linspace(-1, 2, WIDTH)), 4)
    mask = np.zeros(WIDTH, dtype=bool)
    mask[::3] = mask[20:32] = True
    torch.manual_seed(0)
    weights = {"unrolled": Unrolled(cascades=1, widths=[4, 6]), "manet": MANet(channels=2)}
    for name, network in weights.items():
        torch.save(network.state_dict(), folder / f"{name}.pt")
    return {
        "image": image,
        "full": write_fastmri(folder / "full.h5", kspace, CROP),
        "fast": write_fastmri(folder / "fast.h5", kspace * mask, CROP, mask=mask),
        "t1": write_fastmri(folder / "t1.h5", kspace_of(250 - image, 2), CROP),
        "single": write_array(folder / "single.npy", kspace[:1], crop=[CROP, CROP]),
        **{name: folder / f"{name}.pt" for name in weights},
    }


def run(files, output, **settings) -> None:
    given = {"checkpoint": str(files["unrolled"]), "device": "cpu", "output_dir": str(output)} | settings
    config = str(ROOT / "configs" / "inference_kspace.yaml")
    monai.bundle.run(run_id="inference", config_file=config, bundle_root=str(ROOT), **given)


def test_a_full_scan_gives_its_image_cropped_where_it_lies(files, tmp_path, capsys):
    run(files, tmp_path, kspace=str(files["full"]))
    written = nib.load(tmp_path / "full_recon.nii.gz")
    expected = middle(files["image"], CROP, CROP).transpose(1, 2, 0)
    np.testing.assert_allclose(written.get_fdata(), expected, atol=1e-3 * expected.max())
    np.testing.assert_allclose(written.affine[:3, :3] @ [1, 1, 1], [-1, -1, 4.5])
    np.testing.assert_allclose(written.affine @ [20, 20, 1.5, 1], [0, 0, 0, 1], atol=1e-6)
    told = "".join(capsys.readouterr())
    assert "acceleration: nominal 1, effective 1 " in told and "full.h5 is fully sampled: the network was" in told


def test_zero_padding_counts_in_no_acceleration_of_the_report(files, tmp_path):
    padded = np.zeros((SLICES, 2, HEIGHT, WIDTH), np.complex64)
    padded[..., 14:-14] = kspace_of(files["image"], 2)[..., 14:-14]
    run(files, tmp_path, kspace=str(write_fastmri(tmp_path / "padded.h5", padded, CROP)))
    report = json.loads((tmp_path / "padded_recon.json").read_text())
    assert report["sampled_acceleration"] == report["effective_acceleration"] == 1
    assert report["settings"]["mirroring"] is False and "zero-padded: 28 columns" in report["settings"]["acquired"]


def test_an_undersampled_one_is_guided_by_t1_of_raw_kspace_and_reports_what_was_found(files, tmp_path, capsys):
    as_headers_say = {"dataset::alignment::levels": 0}  # registration has tests of its own
    run(files, tmp_path, kspace=str(files["fast"]), t1=str(files["t1"]), **as_headers_say)
    assert "t1.h5 is of the same contrast as the k-space, CORPD_FBK: is it the T1?" in capsys.readouterr().out
    voxels = nib.load(tmp_path / "fast_recon.nii.gz").get_fdata()
    expected = middle(files["image"], CROP, CROP).transpose(1, 2, 0)
    assert voxels.shape == (CROP, CROP, SLICES) and np.corrcoef(voxels.ravel(), expected.ravel())[0, 1] > 0.95
    report = json.loads((tmp_path / "fast_recon.json").read_text())
    assert report["settings"]["acquired"] == "26 of 52 columns, 64 of 64 rows"
    assert report["settings"]["acceleration"].startswith("nominal 3, effective 2 ")
    assert report["files"] == {"t1": str(files["t1"]), "t2": str(files["fast"])}
    assert report["alignment"]["note"].startswith("headers kept") and report["weights"]["network"] == "Unrolled"
    with pytest.raises(Exception) as raised:
        run(files, tmp_path, kspace=str(files["fast"]))
    assert "already holds fast_recon.nii.gz, fast_recon.json" in sentence_of(raised.value)


def test_kspace_without_its_zero_frequency_in_the_middle_is_refused(files, tmp_path):
    kspace = kspace_of(files["image"], 2)
    gap = kspace.copy()
    gap[..., WIDTH // 2 - 3 : WIDTH // 2 + 3] = 0
    orders = {"fft2": np.fft.ifftshift(kspace, axes=(-2, -1)), "columns": np.fft.ifftshift(kspace, axes=-1), "gap": gap}
    said = {"gap": "at row 32, column 26, where nothing was acquired"}
    for name, order in orders.items():
        with pytest.raises(Exception) as raised:
            run(files, tmp_path / "out", kspace=str(write_array(tmp_path / f"{name}.npy", order, crop=[CROP, CROP])))
        told = sentence_of(raised.value)
        assert f"{name}.npy: the zero frequency is expected in the middle" in told
        assert said.get(name, "Shift it by numpy.fft.fftshift along rows and columns.") in told
        with pytest.raises(BundleError, match="zero frequency is expected"):
            read_image(tmp_path / f"{name}.npy")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "--kspace FILE is missing"),
        ({"kspace": "no.h5"}, "no.h5 does not exist"),
        ({"kspace": "fast", "t1": "fast"}, "is given as kspace and as t1"),
        ({"kspace": "fast", "checkpoint": "manet"}, "manet.pt is of another network than Unrolled"),
        ({"kspace": "fast", "t1": "no.nii"}, "no.nii does not exist"),
        (
            {"kspace": "single", "t1": "t1"},
            "has a single slice, to which no T1 can be registered; give a T1 of the same 40 x 40 x 1 voxels",
        ),
        ({"kspace": "fast", "acceleration": 4}, "acceleration has no effect on this run"),
    ],
)
def test_a_mistake_is_one_sentence_and_writes_nothing(files, tmp_path, given, said):
    given = {name: str(files[value]) if value in files else value for name, value in given.items()}
    with pytest.raises(Exception) as raised:
        run(files, tmp_path / "out", **given)
    assert said in sentence_of(raised.value) and "\n" not in sentence_of(raised.value)
    assert not (tmp_path / "out").exists()


def test_without_t1_the_network_is_shown_none_and_the_item_is_in_scale(files):
    dataset = RawDataset(str(files["fast"]), None, dict)
    item = dataset[0]
    assert item["image"].shape == (2 + 4 * 4, CROP, WIDTH, SLICES) and not item["image"][:2].any()
    assert item["scale"].shape == (1, 1, 1, SLICES) and 20 < item["scale"].min() < item["scale"].max() < 300
    assert len(dataset) == 1 and dataset.volumes[0].alignment == {"note": "not given"}
    with pytest.raises(IndexError):
        dataset[1]


def test_the_t1_of_a_single_slice_is_taken_where_it_has_the_voxels_of_its_image(files, tmp_path):
    axes = ["slice", "row", "column"]
    t1 = write_array(tmp_path / "t1.npy", kspace_of(250 - files["image"][:1]), axes=axes, crop=[CROP, CROP])
    dataset = RawDataset(str(files["single"]), str(t1), dict)
    expected = middle(250 - files["image"][:1], CROP, CROP)
    found = middle(dataset.t1.numpy(), CROP, CROP)
    assert dataset.t1.shape == (1, CROP, WIDTH) and np.corrcoef(found.ravel(), expected.ravel())[0, 1] > 0.999


def test_items_are_named_after_their_file(files):
    assert raw_items("a/b_T2.h5", "c.nii") == [{"subject": "b_T2", "t2": "a/b_T2.h5", "t1": "c.nii"}]
    with pytest.raises(BundleError, match="needs raw k-space"):
        raw_items(None)

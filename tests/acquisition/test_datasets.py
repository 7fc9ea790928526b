"""What is served follows from seed, epoch and identity alone; memory and speed hold for many subjects."""

from __future__ import annotations

import os
import pickle
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from monai.data import DataLoader, get_track_meta
from monai.transforms import Randomizable

from bundle.acquisition.datasets import SliceDataset, VolumeDataset
from bundle.acquisition.masks import make_mask
from bundle.acquisition.noise import KspaceNoise
from bundle.acquisition.scan import Acquisition
from bundle.errors import BundleError
from bundle.fourier import channels_to_complex, ifft2c


def scan(acceleration: float = 4, level: float = 0.1, visible: tuple[str, ...] = ("t1", "t2")) -> Acquisition:
    return Acquisition(make_mask("random", acceleration), KspaceNoise(level), visible)


def same(first: dict, second: dict) -> bool:
    return all(torch.equal(first[key], second[key]) for key in ("image", "full_kspace"))


def test_draw_follows_from_seed_epoch_and_slice_in_whatever_order_they_are_read(make_volumes):
    first, second = (SliceDataset(make_volumes(), scan(), seed=1) for _ in range(2))
    forwards = [first[index] for index in range(len(first))]
    backwards = [second[index] for index in reversed(range(len(second)))][::-1]
    assert all(map(same, forwards, backwards))


def test_another_seed_epoch_or_slice_is_another_draw(make_volumes):
    dataset = SliceDataset(make_volumes(), scan(), seed=1)
    other_seed = SliceDataset(make_volumes(), scan(), seed=2)
    first = dataset[0]
    dataset.set_epoch(1)
    second = dataset[0]
    assert not torch.equal(first["image"], second["image"]) and not torch.equal(first["image"], other_seed[0]["image"])
    assert torch.equal(first["image"][:2], second["image"][:2])  # T1 is the same
    sampled = [(dataset[index]["image"][2:] != 0).any(dim=(0, 1)) for index in range(len(dataset))]
    assert len({tuple(columns.tolist()) for columns in sampled}) > 1
    dataset.set_epoch(0)
    assert same(dataset[0], first)


def test_draws_do_not_depend_on_the_number_of_workers(make_volumes):
    dataset = SliceDataset(make_volumes(), scan(), seed=1)
    dataset.set_epoch(3)
    alone, shared = (list(DataLoader(dataset, batch_size=2, num_workers=workers)) for workers in (0, 2))
    assert len(alone) == len(shared) == 2 and alone[0]["image"].shape == (2, 4, 32, 48)
    assert all(map(same, alone, shared))


def test_pickled_dataset_serves_the_same_slices(make_volumes):
    dataset = SliceDataset(make_volumes(), scan())
    assert same(pickle.loads(pickle.dumps(dataset))[1], dataset[1])


def test_augmentations_follow_one_another_with_draws_of_their_own(make_volumes):
    class Noted(Randomizable):
        def __call__(self, t1, t2):
            seen.append((float(t2.mean()), self.R.random_sample()))
            return t1, torch.ones_like(t2)

    datasets = [SliceDataset(make_volumes(), scan(), augmentation=given) for given in (Noted(), [Noted(), Noted()])]
    seen: list[tuple[float, float]] = []
    datasets[0][0], datasets[1][0]
    alone, first, second = seen
    assert alone == first and second[0] == 1 and second[1] != first[1]


def test_monai_keeps_no_records_during_an_augmentation_and_does_again_after_it(make_volumes):
    class Failing(Randomizable):
        def __call__(self, t1, t2):
            seen.append(get_track_meta())
            raise ValueError("this augmentation fails")

    seen: list[bool] = []
    with pytest.raises(ValueError, match="this augmentation fails"):
        SliceDataset(make_volumes(), scan(), augmentation=Failing())[0]
    assert seen == [False] and get_track_meta()


def test_air_is_left_out_and_every_other_slice_is_served_once(make_volumes):
    volumes = make_volumes(count=3, slices=5)
    dataset = SliceDataset(volumes, scan(acceleration=1, level=0))
    assert [volume.foreground[0] for volume in volumes] == [volume.foreground[-1] for volume in volumes] == [0, 0, 0]
    assert len(dataset) == 3 * 3
    expected = [(volume, index) for volume in volumes for index in (1, 2, 3)]
    for item, (volume, index) in zip((dataset[number] for number in range(9)), expected):
        images = [ifft2c(channels_to_complex(item["full_kspace"][part])).abs() for part in (slice(0, 2), slice(2, 4))]
        for image, original in zip(images, volume.slices(index)):
            torch.testing.assert_close(image / image.max(), original / original.max(), atol=1e-5, rtol=0)


def test_min_foreground_zero_serves_air_too(make_volumes):
    assert len(SliceDataset(make_volumes(count=2, slices=4), scan(), min_foreground=0)) == 8


def test_volumes_of_air_only_are_refused(make_volumes):
    empty = [replace(volume, foreground=(0.0,) * len(volume)) for volume in make_volumes()]
    with pytest.raises(BundleError, match="No slice of the 2 training volumes has any T2 signal"):
        SliceDataset(empty, scan())


def test_volumes_draw_depends_on_its_name_and_the_seed_and_not_on_the_order(make_volumes):
    volumes = make_volumes(count=3)
    first, reordered = VolumeDataset(volumes, scan(), seed=1), VolumeDataset(volumes[::-1], scan(), seed=1)
    for index in range(3):
        item, again = first[index], reordered[2 - index]
        assert torch.equal(item["image"], again["image"]) and torch.equal(item["mask"], again["mask"])
        assert item["index"] == index and again["index"] == 2 - index
    assert not torch.equal(first[0]["mask"], first[1]["mask"])
    assert not torch.equal(first[0]["mask"], VolumeDataset(volumes, scan(), seed=2)[0]["mask"])


def test_all_slices_of_a_volume_share_one_mask(make_volumes):
    item = VolumeDataset(make_volumes(), scan())[0]
    for index in range(1, 3):  # the others are air
        sampled = (item["image"][2:, ..., index] != 0).any(dim=0)
        assert torch.equal(sampled, item["mask"])


def test_volume_is_served_slices_last_in_the_units_of_its_files(make_volumes):
    volumes = make_volumes()
    item = VolumeDataset(volumes, scan())[1]
    t1, t2 = volumes[1].slices()
    shapes = {key: tuple(item[key].shape) for key in ("image", "reference", "zero_filled", "t1", "scale", "mask")}
    one = (1, 32, 48, 4)
    assert shapes == {
        "image": (4, 32, 48, 4),
        "reference": one,
        "zero_filled": one,
        "t1": one,
        "scale": (1, 1, 1, 4),
        "mask": (32, 48),
    }
    assert torch.equal(item["reference"][0].movedim(-1, 0), t2) and torch.equal(item["t1"][0].movedim(-1, 0), t1)
    image = ifft2c(channels_to_complex(item["image"][2:].movedim(-1, 0))).abs().movedim(0, -1)
    torch.testing.assert_close(image[None] * item["scale"], item["zero_filled"], rtol=1e-5, atol=1e-2)


@pytest.mark.parametrize("dataset", [SliceDataset, VolumeDataset])
def test_contrast_that_is_not_visible_is_missing_in_training_as_in_tests(make_volumes, dataset):
    for visible, hidden, shown in [(("t2",), slice(0, 2), slice(2, 4)), (("t1",), slice(2, 4), slice(0, 2))]:
        full, one = dataset(make_volumes(), scan(), 1)[1], dataset(make_volumes(), scan(visible=visible), 1)[1]
        assert torch.count_nonzero(one["image"][hidden]) == 0
        assert torch.equal(one["image"][shown], full["image"][shown])
        assert all(
            torch.equal(value, full[key])
            for key, value in one.items()
            if isinstance(value, torch.Tensor) and key != "image"
        )


def test_guide_is_asked_for_each_volume_by_index_and_a_seed_of_its_own(make_volumes):
    calls = []

    def guide(volumes, index: int, seed: int) -> torch.Tensor:
        calls.append((volumes[index].name, seed))
        return torch.full((4, 32, 48), 7.0)

    volumes = make_volumes()
    for order, seed in ((volumes, 1), (volumes[::-1], 1), (volumes, 2)):
        dataset = VolumeDataset(order, scan(), seed, guide)
        assert all(dataset[index]["t1"].unique().tolist() == [7] for index in range(2))
    assert calls[0] == calls[3] and calls[1] == calls[2] and calls[0][0] == "s0"
    assert len({seed for _, seed in calls}) == 4


def resident_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="resident memory is read from /proc")
def test_memory_of_training_does_not_grow_with_the_number_of_subjects(make_volumes):
    def serve(count: int) -> float:
        dataset = SliceDataset(make_volumes(count, slices=24, height=128, width=128), scan())
        assert len(dataset) == 22 * count
        assert all(dataset[index]["image"].shape == (4, 128, 128) for index in range(0, len(dataset), 3))
        return resident_mib()

    few, many = serve(3), serve(60)
    data = 57 * 24 * 2 * 128 * 128 * 4 / 2**20
    assert data > 170 and many - few < 20, f"{few:.0f} MiB with 3 subjects, {many:.0f} MiB with 60"


@pytest.mark.benchmark
def test_two_workers_serve_at_least_100_slices_a_second(make_volumes):
    dataset = SliceDataset(make_volumes(4, slices=52, height=256, width=256), scan(acceleration=6))
    loader = DataLoader(dataset, batch_size=8, num_workers=2, shuffle=True)
    start = time.perf_counter()
    served = sum(len(batch["image"]) for batch in loader)
    assert served == 200 and served / (time.perf_counter() - start) > 100


@pytest.mark.parametrize("dataset", [SliceDataset, VolumeDataset])
def test_a_likeness_just_below_the_limit_reads_as_below_it(make_volumes, dataset):
    unlike = {"same_anatomy": False, "likeness": 1.2499, "least_likeness": 1.25, "mutual_information_after": 0.03}
    volumes = [replace(volume, alignment={**volume.alignment, **unlike}) for volume in make_volumes(1)]
    with pytest.raises(BundleError, match=r"\(registered; likeness 1\.24, .* a likeness of 1\.25 or more"):
        dataset(volumes, scan())


@pytest.mark.parametrize("dataset", [SliceDataset, VolumeDataset])
def test_pairs_of_two_anatomies_are_refused_by_name_unless_t1_is_hidden(make_volumes, dataset):
    unlike = {"same_anatomy": False, "likeness": 1.02, "least_likeness": 1.25, "mutual_information_after": 0.03}
    volumes = [replace(volume, alignment={**volume.alignment, **unlike}) for volume in make_volumes(7)]
    words = r"0-1\.nii and 0-2\.nii \(registered; likeness 1\.02, mutual information 0\.030\), .* and 2 more pairs; "
    with pytest.raises(BundleError, match=words) as told:
        dataset(volumes, scan())
    assert "4-1.nii" in str(told.value) and "5-1.nii" not in str(told.value) and "--visible [t2]" in str(told.value)
    assert len(dataset(volumes, scan(visible=("t2",)))) > 0


def test_check_of_a_volume_dataset_takes_each_volume_as_it_is_served(make_volumes):
    plain, marked = (VolumeDataset(make_volumes(), scan(), check=how) for how in (None, lambda item: {"a": item}))
    for index in range(2):
        assert marked[index].keys() == {"a"} and marked[index]["a"].keys() == plain[index].keys()
        assert torch.equal(marked[index]["a"]["image"], plain[index]["image"])

"""The scan obeys Eq. 1, its scale is undone, and nothing of the unsampled T2 reaches the network."""

from __future__ import annotations

import pickle

import pytest
import torch

from bundle.acquisition.masks import VariedMask, make_mask
from bundle.acquisition.noise import KspaceNoise, VariedNoise
from bundle.acquisition.scan import Acquired, Acquisition, robust_maximum
from bundle.errors import BundleError
from bundle.fourier import channels_to_complex, fft2c, ifft2c, magnitude_image

SIZE = (48, 64)


def make(acceleration: float = 4, level: float = 0.1, seed: int = 0, pattern: str = "random") -> Acquisition:
    return Acquisition(make_mask(pattern, acceleration), KspaceNoise(level)).set_random_state(seed=seed)


def images(*stack: int) -> tuple[torch.Tensor, torch.Tensor]:
    """T1 and T2, positive, ``(*stack, h, w)``."""
    generator = torch.Generator().manual_seed(5)
    t1, t2 = (100 + 400 * torch.rand(*stack, *SIZE, generator=generator) for _ in range(2))
    return t1, t2


def t2_of(channels: torch.Tensor) -> torch.Tensor:
    """The T2 half of image or full_kspace as complex k-space."""
    return channels_to_complex(channels[..., 2:4, :, :])


@pytest.mark.parametrize("pattern", ["random", "uniform", "radial", "spiral"])
def test_unsampled_points_are_exactly_zero_and_sampled_ones_the_full_kspace(pattern):
    acquired = make(level=0, pattern=pattern)(*images())
    assert 0 < acquired.mask.sum() < acquired.mask.numel()
    assert torch.count_nonzero(t2_of(acquired.image)[~acquired.mask]) == 0
    assert torch.equal(t2_of(acquired.image)[acquired.mask], t2_of(acquired.full_kspace)[acquired.mask])


def test_sampled_points_are_the_label_and_noise_of_the_level_asked_for():
    t1, t2 = images(40)
    acquired = make(level=0.1)(t1, t2)
    added = (t2_of(acquired.image) - t2_of(acquired.full_kspace)) * acquired.scale / t2.mean(dim=(-2, -1), keepdim=True)
    on, off = added[..., acquired.mask], t2_of(acquired.image)[..., ~acquired.mask]
    assert on.real.std().item() == pytest.approx(0.1, rel=0.03) and on.imag.std().item() == pytest.approx(0.1, rel=0.03)
    assert torch.count_nonzero(off) == 0


def test_full_sampling_without_noise_gives_t2_itself():
    t1, t2 = images(3)
    acquired = make(acceleration=1, level=0)(t1, t2)
    torch.testing.assert_close(acquired.zero_filled, t2, rtol=1e-5, atol=0)
    assert torch.equal(acquired.image, acquired.full_kspace)


def test_perfect_reconstruction_times_the_scale_is_t2_in_its_own_units():
    t1, t2 = images(3)
    acquired = make()(t1, t2)
    torch.testing.assert_close(
        magnitude_image(acquired.full_kspace[:, 2:4])[:, 0] * acquired.scale, t2, rtol=1e-5, atol=0
    )


def test_zero_filled_image_is_what_the_network_sees_in_the_units_of_t2():
    acquired = make()(*images(3))
    torch.testing.assert_close(ifft2c(t2_of(acquired.image)).abs() * acquired.scale, acquired.zero_filled)


@pytest.mark.parametrize("level", [0, 0.1])
@pytest.mark.parametrize("pattern", ["random", "radial"])
def test_t2_images_that_agree_where_they_are_sampled_give_the_same_input(pattern, level):
    t1, t2 = images()
    first = make(level=level, pattern=pattern)(t1, t2)
    # a real change of the image, all of whose k-space (and its mirror image) is unsampled
    mirrored = first.mask.flip(0, 1).roll((1, 1), (0, 1))  # k to -k, of even sizes
    rough = 100 * torch.rand(SIZE, generator=torch.Generator().manual_seed(8))
    change = ifft2c(fft2c(rough) * ~(first.mask | mirrored))
    assert change.imag.abs().max() < 1e-3 and 20 < change.real.abs().max() < 100
    second = make(level=level, pattern=pattern)(t1, t2 + change.real)
    assert not torch.allclose(first.full_kspace, second.full_kspace, atol=0.1)
    for name in ("image", "scale", "zero_filled", "mask"):
        torch.testing.assert_close(getattr(first, name), getattr(second, name), rtol=1e-4, atol=1e-3)


def test_units_of_the_files_do_not_reach_the_network():
    t1, t2 = images(2)
    first, second = make()(t1, t2), make()(0.01 * t1, 1000 * t2)
    torch.testing.assert_close(first.image, second.image, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(first.full_kspace, second.full_kspace, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(1000 * first.scale, second.scale)
    torch.testing.assert_close(1000 * first.zero_filled, second.zero_filled)


def test_t1_is_fully_sampled_and_noise_free_and_the_same_in_input_and_full_kspace():
    t1, t2 = images(2)
    acquired = make()(t1, t2)
    assert torch.equal(acquired.image[:, 0:2], acquired.full_kspace[:, 0:2])
    t1_image = ifft2c(channels_to_complex(acquired.image[:, 0:2])).abs()
    torch.testing.assert_close(t1_image * robust_maximum(t1), t1, rtol=1e-5, atol=1e-5)  # rounding of the FFTs


def test_label_is_t1_then_t2_kspace_each_real_then_imaginary():
    t1, t2 = images()
    acquired = make()(t1, t2)
    assert isinstance(acquired, Acquired) and acquired.image.shape == acquired.full_kspace.shape == (4, *SIZE)
    expected = (fft2c(t1) / robust_maximum(t1), fft2c(t2) / acquired.scale)
    parts = torch.stack([part for kspace in expected for part in (kspace.real, kspace.imag)])
    torch.testing.assert_close(acquired.full_kspace, parts)


def test_empty_slices_stay_finite_and_empty():
    t1, t2 = images(3)
    t1[1], t2[1], t2[2] = 0, 0, 0
    acquired = make()(t1, t2)
    assert all(torch.isfinite(values).all() for values in acquired)
    assert torch.count_nonzero(acquired.image[1]) == 0 and torch.count_nonzero(acquired.full_kspace[2, 2:4]) == 0
    assert acquired.scale[1:].tolist() == [[[0]], [[0]]] and torch.count_nonzero(acquired.zero_filled[1:]) == 0


@pytest.mark.parametrize("background", [0, 1e-3])  # interpolation leaves a little signal in air
def test_slice_with_signal_in_a_few_voxels_only_is_scaled_by_its_maximum(background):
    t1, t2 = images()
    tip = torch.full_like(t1, background)
    tip[20:23, 30:33] = t1[20:23, 30:33]
    few, fewer = make()(tip, t2), make()(1000 * tip, t2)
    torch.testing.assert_close(few.image, fewer.image, rtol=1e-4, atol=1e-4)
    assert ifft2c(channels_to_complex(few.image[0:2])).abs().max().item() == pytest.approx(5, rel=1e-3)


def test_each_slice_of_a_stack_is_scanned_as_it_would_be_alone():
    t1, t2 = images(3)
    stack = make(level=0)(t1, t2)
    for index in range(3):
        alone = make(level=0)(t1[index], t2[index])
        for name in ("image", "full_kspace", "zero_filled", "scale"):
            torch.testing.assert_close(getattr(stack, name)[index], getattr(alone, name))
        assert torch.equal(stack.mask, alone.mask)


def test_seed_brings_mask_and_noise_back_and_the_next_draw_differs():
    t1, t2 = images()
    scan = make(seed=4)
    first, second = scan(t1, t2), scan(t1, t2)
    assert not torch.equal(first.mask, second.mask)
    scan.set_random_state(seed=4)
    assert all(torch.equal(a, b) for a, b in zip(first, scan(t1, t2)))
    assert not torch.equal(first.mask, make(seed=5)(t1, t2).mask)


def test_seed_brings_a_scan_of_varied_mask_and_noise_back():
    scan = Acquisition(VariedMask(["random", "radial"], [3, 9]), VariedNoise([0, 0.1]))
    first, again, other = (scan.set_random_state(seed=seed)(*images()) for seed in (1, 1, 2))
    assert torch.equal(first.image, again.image) and not torch.equal(first.mask, other.mask)


def test_pickled_acquisition_goes_on_with_the_same_draws():
    t1, t2 = images()
    scan = make()
    copy = pickle.loads(pickle.dumps(scan))
    for _ in range(2):
        assert all(torch.equal(a, b) for a, b in zip(scan(t1, t2), copy(t1, t2)))


def test_robust_maximum_is_the_99th_percentile_of_each_slice():
    values = torch.arange(1.0, 10001).reshape(100, 100)
    assert robust_maximum(torch.stack((values, 2 * values))).flatten().tolist() == [9900, 19800]


@pytest.mark.parametrize("visible, hidden", [(["t2"], slice(0, 2)), (("t1",), slice(2, 4)), ("t2", slice(0, 2))])
def test_contrast_that_is_not_visible_is_zero_in_the_input_and_nothing_else_changes(visible, hidden):
    t1, t2 = images(2)
    both = make()(t1, t2)
    mask, noise = make_mask("random", 4), KspaceNoise(0.1)
    one = Acquisition(mask, noise, visible=visible).set_random_state(seed=0)(t1, t2)
    assert both.image[:, hidden].abs().max() > 0 and torch.count_nonzero(one.image[:, hidden]) == 0
    shown = slice(2, 4) if hidden == slice(0, 2) else slice(0, 2)
    assert torch.equal(one.image[:, shown], both.image[:, shown])
    for name in ("full_kspace", "zero_filled", "scale", "mask"):
        assert torch.equal(getattr(one, name), getattr(both, name)), name


@pytest.mark.parametrize("visible", [["t1", "t2"], ["t2", "t1"], ("t1", "t2")])
def test_both_visible_in_any_order_is_the_ordinary_input(visible):
    t1, t2 = images()
    given = Acquisition(make_mask("random", 4), KspaceNoise(0.1), visible).set_random_state(seed=0)(t1, t2)
    assert torch.equal(given.image, make()(t1, t2).image)


@pytest.mark.parametrize("visible", [[], (), "", ["t3"], ["t1", "pd"], "t1,t2", None, 2, [1], [None]])
def test_choice_of_no_contrast_or_an_unknown_one_is_refused(visible):
    with pytest.raises(BundleError, match="visible is a list of t1, t2 or both"):
        Acquisition(make_mask("random", 4), KspaceNoise(0.1), visible)

"""Compressed sensing minimises what it says, from T2's sampled points alone, and beats zero filling."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from bundle.acquisition.masks import make_mask
from bundle.errors import BundleError
from bundle.fourier import complex_to_channels, fft2c
from bundle.networks.compressed_sensing import CompressedSensing
from bundle.networks.inputs import t2_magnitude

SIZE = (32, 48)


@pytest.fixture(scope="module")
def phantom() -> torch.Tensor:
    """Ellipses of a few intensities on air, with a slow shading: piecewise smooth, at most about 1."""
    y, x = np.mgrid[-1 : 1 : SIZE[0] * 1j, -1 : 1 : SIZE[1] * 1j]
    image = np.zeros(SIZE)
    for down, right, height, width, value in [
        (0, 0, 0.85, 0.7, 0.5),
        (-0.1, -0.25, 0.4, 0.2, 0.45),
        (0.2, 0.3, 0.2, 0.15, -0.3),
        (0.45, -0.1, 0.12, 0.3, 0.3),
    ]:
        image += value * (((y - down) / height) ** 2 + ((x - right) / width) ** 2 < 1)
    return torch.from_numpy((image * (1 + 0.1 * x)).astype(np.float32))


def network_input(kspace: torch.Tensor, seed: int = 0) -> torch.Tensor:
    """T2 k-space ``(..., h, w)`` behind T1 k-space of noise: ``(b, 4, h, w)``."""
    t2 = complex_to_channels(kspace).reshape(-1, 2, *kspace.shape[-2:])
    return torch.cat((torch.randn(t2.shape, generator=torch.Generator().manual_seed(seed)), t2), dim=1)


def undersampled(image: torch.Tensor, pattern: str = "radial", acceleration: float = 4) -> torch.Tensor:
    mask = make_mask(pattern, acceleration).set_random_state(seed=0).sample(*image.shape[-2:])
    return network_input(fft2c(image) * torch.from_numpy(mask))


def root_mean_square(values: torch.Tensor) -> float:
    return float(values.square().mean().sqrt())


def objective(kspace: np.ndarray, image: np.ndarray, weight: float) -> float:
    """What the module's first lines say, in numpy alone."""
    transformed = np.fft.fftshift(np.fft.fft2(np.fft.ifftshift(image), norm="ortho"))
    down, right = np.zeros_like(image), np.zeros_like(image)
    down[:-1], right[:, :-1] = np.diff(image, axis=0), np.diff(image, axis=1)
    variation = np.sqrt(np.abs(down) ** 2 + np.abs(right) ** 2).sum()
    return 0.5 * np.linalg.norm((transformed - kspace)[kspace != 0]) ** 2 + weight * variation


@pytest.fixture(scope="module")
def noisy_kspace(phantom) -> np.ndarray:
    """Complex64, ``(h, w)``, with a phase that is no symmetry of k-space, and noise."""
    generator = torch.Generator().manual_seed(0)
    ramp = torch.linspace(0, 2, SIZE[1])
    noise = 0.03 * torch.randn(SIZE, dtype=torch.complex64, generator=generator)
    mask = torch.from_numpy(make_mask("radial", 4).set_random_state(seed=0).sample(*SIZE))
    return ((fft2c(torch.polar(phantom, ramp.expand(SIZE))) + noise) * mask).numpy()


def test_more_iterations_bring_the_objective_from_zero_filling_to_a_plateau(noisy_kspace):
    weight = 0.02
    images = [CompressedSensing(weight, count).reconstruct(noisy_kspace) for count in (1, 10, 100, 300)]
    zero_filled = np.fft.fftshift(np.fft.ifft2(np.fft.ifftshift(noisy_kspace), norm="ortho"))
    values = [objective(noisy_kspace, image, weight) for image in (zero_filled, *images)]
    assert values == sorted(values, reverse=True)
    assert values[-2] == pytest.approx(values[-1], rel=0.03)
    assert values[-1] < 0.7 * values[0]


def test_no_step_from_the_solution_lowers_the_objective(noisy_kspace):
    weight = 0.02
    solution = CompressedSensing(weight, 500).reconstruct(noisy_kspace).astype(complex)
    least = objective(noisy_kspace, solution, weight)
    rng = np.random.default_rng(0)
    zero_filled = np.fft.fftshift(np.fft.ifft2(np.fft.ifftshift(noisy_kspace), norm="ortho"))
    noise = rng.standard_normal((2, *SIZE))
    smoothed = (solution + np.roll(solution, 1, 0) + np.roll(solution, 1, 1)) / 3
    for direction in (zero_filled - solution, -solution, noise[0] + 1j * noise[1], smoothed - solution):
        for step in (0.05, -0.05, 0.005, -0.005):
            assert objective(noisy_kspace, solution + step * direction, weight) > least * (1 - 1e-5)


@pytest.mark.parametrize(("pattern", "ratio"), [("radial", 0.3), ("random", 0.85)])
def test_the_phantom_comes_back_better_than_by_zero_filling(phantom, pattern, ratio):
    image = undersampled(phantom, pattern)
    error = root_mean_square(CompressedSensing(0.003, 200)(image)[0, 0] - phantom)
    assert error < ratio * root_mean_square(t2_magnitude(image)[0, 0] - phantom)


@pytest.mark.parametrize("size", [(48, 64), (31, 45), (16, 1)], ids=str)
def test_with_all_points_and_a_tiny_weight_the_image_comes_back(size):
    image = torch.rand(size, generator=torch.Generator().manual_seed(0))
    result = CompressedSensing(1e-6)(network_input(fft2c(image)))
    torch.testing.assert_close(result[0, 0], image, atol=1e-4, rtol=0)


def test_a_large_weight_leaves_the_mean():
    image = torch.rand(6, 10, generator=torch.Generator().manual_seed(0))
    result = CompressedSensing(20.0, 500)(network_input(fft2c(image)))[0, 0]
    torch.testing.assert_close(result, image.mean().expand(6, 10), atol=1e-3, rtol=0)


def test_an_edge_loses_weight_over_width_and_the_border_of_the_image_is_no_edge():
    image = torch.zeros(8, 16)
    image[:, :4] = 1
    result = CompressedSensing(0.2, 1000)(network_input(fft2c(image)))[0, 0]
    expected = torch.tensor([1 - 0.2 / 4] * 4 + [0.2 / 12] * 12)  # one jump in each row; periodic TV would count two
    torch.testing.assert_close(result, expected.expand(8, 16), atol=1e-3, rtol=0)


def test_the_phase_of_the_image_changes_nothing_but_its_phase(phantom):
    network = CompressedSensing()
    turned = torch.polar(phantom, torch.full(SIZE, 0.7))
    torch.testing.assert_close(network(undersampled(turned)), network(undersampled(phantom)), atol=1e-4, rtol=0)


def test_an_empty_slice_stays_empty_beside_one_that_is_not(phantom):
    image = torch.cat((undersampled(phantom), network_input(torch.zeros(SIZE, dtype=torch.complex64))))
    result = CompressedSensing()(image)
    assert result.shape == (2, 1, *SIZE)
    assert not result[1].any()
    assert result[0].max() > 0.5


def test_each_slice_has_its_own_mask_and_does_not_depend_on_the_batch(phantom):
    images = torch.cat((undersampled(phantom), undersampled(phantom.flip(0), "random", 3)))
    network = CompressedSensing()
    assert torch.equal(network(images), torch.cat((network(images[:1]), network(images[1:]))))


def test_t1_is_not_looked_at(phantom):
    image = undersampled(phantom)
    other = image.clone()
    other[:, :2] = torch.nan
    network = CompressedSensing()
    assert torch.equal(network(other), network(image))


def test_mode_and_repetition_change_nothing_and_the_input_stays(phantom):
    image = undersampled(phantom).requires_grad_()
    before = image.detach().clone()
    network = CompressedSensing()
    trained, evaluated, again = network.train()(image), network.eval()(image), network(image)
    assert torch.equal(trained, evaluated) and torch.equal(evaluated, again)
    assert torch.equal(image, before)
    assert (trained.dtype, trained.device, trained.requires_grad) == (torch.float32, image.device, False)


@pytest.mark.filterwarnings("ignore:invalid value")
def test_a_value_that_is_no_number_shows_in_the_result(phantom):
    image = undersampled(phantom)
    image[0, 2, SIZE[0] // 2, SIZE[1] // 2] = torch.nan
    assert CompressedSensing(iterations=5)(image).isnan().any()


def test_there_are_no_parameters_and_nothing_to_load():
    network = CompressedSensing()
    assert (list(network.parameters()), network.state_dict()) == ([], {})


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_the_result_of_a_gpus_input_is_on_the_gpu(phantom):
    image = undersampled(phantom)
    result = CompressedSensing()(image.cuda())
    assert result.device.type == "cuda"
    torch.testing.assert_close(result.cpu(), CompressedSensing()(image))


@pytest.mark.parametrize("weight", [0, -0.1, math.inf, math.nan, True, "haar", None])
def test_a_weight_that_is_no_number_above_zero_is_refused(weight):
    with pytest.raises(BundleError, match=f"number above 0.*{weight!r}"):
        CompressedSensing(weight)


@pytest.mark.parametrize("iterations", [0, -1, 2.5, True, "many"])
def test_iterations_that_are_no_whole_number_are_refused(iterations):
    with pytest.raises(BundleError, match=f"at least 1; not {iterations!r}"):
        CompressedSensing(iterations=iterations)


def test_a_wrong_input_is_refused_with_what_was_expected():
    with pytest.raises(BundleError, match=r"CompressedSensing expects \(b, 4, h, w\).*\(1, 2, 16, 16\)"):
        CompressedSensing()(torch.zeros(1, 2, 16, 16))

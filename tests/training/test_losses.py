"""The loss is Eq. 6."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from bundle.errors import BundleError
from bundle.networks import DuDoRNetOutput, MANetOutput
from bundle.training.losses import DualDomainLoss, HybridDomainLoss, ImageLoss

SHAPE = (2, 2, 12, 16)


def draw(seed: int = 0) -> tuple[MANetOutput, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    kspaces = [torch.randn(SHAPE, generator=generator) for _ in range(2)]
    images = [torch.rand(2, 1, 12, 16, generator=generator) for _ in range(2)]
    return MANetOutput(*kspaces, *images), torch.randn(2, 4, 12, 16, generator=generator)


def magnitude(kspace: torch.Tensor) -> np.ndarray:
    """Independent of bundle.fourier: (b, 2, h, w) to (b, 1, h, w)."""
    values = np.fft.ifftshift(kspace[:, 0].numpy() + 1j * kspace[:, 1].numpy(), (-2, -1))
    return np.abs(np.fft.fftshift(np.fft.ifft2(values, norm="ortho"), (-2, -1)))[:, None]


def terms(output: MANetOutput, label: torch.Tensor) -> list[float]:
    """L_k^T1, L_k^T2, L_img^T1, L_img^T2 by numpy."""
    t1, t2 = label[:, :2], label[:, 2:]
    targets = (t1.numpy(), t2.numpy(), magnitude(t1), magnitude(t2))
    return [float(np.mean(np.abs(ours.numpy() - target))) for ours, target in zip(output, targets)]


@pytest.mark.parametrize(("alpha", "beta"), [(0.4, 0.6), (0.1, 0.9), *itertools.product((0, 1), (0, 1))])
def test_loss_is_equation_6(alpha, beta):
    output, label = draw()
    k1, k2, image1, image2 = terms(output, label)
    expected = alpha * ((1 - beta) * k1 + beta * k2) + (1 - alpha) * ((1 - beta) * image1 + beta * image2)
    assert HybridDomainLoss(alpha, beta)(output, label).item() == pytest.approx(expected, rel=1e-5)


def test_weights_of_the_paper_are_the_defaults():
    output, label = draw()
    assert HybridDomainLoss()(output, label) == HybridDomainLoss(alpha=0.4, beta=0.6)(output, label)


@pytest.mark.parametrize(
    ("alpha", "beta", "counted"),
    [(1, 0, "t1_kspace"), (1, 1, "t2_kspace"), (0, 0, "t1_image"), (0, 1, "t2_image")],
)
def test_each_limit_of_the_weights_looks_at_one_output_only(alpha, beta, counted):
    output, label = draw()
    loss = HybridDomainLoss(alpha, beta)
    for name, values in output._asdict().items():
        changed = loss(output._replace(**{name: values + 3}), label)
        assert (changed != loss(output, label)) == (name == counted)


def test_perfect_output_has_no_loss():
    _, label = draw()
    t1, t2 = label[:, :2], label[:, 2:]
    images = (torch.from_numpy(magnitude(kspace)).float() for kspace in (t1, t2))
    assert HybridDomainLoss()(MANetOutput(t1, t2, *images), label).item() < 1e-6


def test_gradient_reaches_all_four_outputs():
    output, label = draw()
    output = MANetOutput(*(values.requires_grad_() for values in output))
    HybridDomainLoss()(output, label).backward()
    for values, weight in zip(output, (0.4 * 0.4, 0.4 * 0.6, 0.6 * 0.4, 0.6 * 0.6)):
        expected = torch.full_like(values, weight / values.numel())  # the gradient of a mean of absolute values
        torch.testing.assert_close(values.grad.abs(), expected)


@pytest.mark.parametrize("weight", [-0.1, 1.1, float("nan"), "0.4", None])
@pytest.mark.parametrize("name", ["alpha", "beta"])
def test_weight_outside_zero_to_one_is_refused(name, weight):
    with pytest.raises(BundleError, match=f"loss weight {name} is a number from 0 to 1"):
        HybridDomainLoss(**{name: weight})


def test_the_image_loss_is_the_mean_absolute_error_of_the_t2_magnitude():
    output, label = draw()
    expected = np.mean(np.abs(output.t2_image.numpy() - magnitude(label[:, 2:])))
    assert float(ImageLoss()(output.t2_image, label)) == pytest.approx(float(expected), rel=1e-5)


def test_the_image_loss_weighs_each_slices_root_mean_square_error_against_the_mean_absolute_error():
    output, label = draw()
    error = output.t2_image.numpy() - magnitude(label[:, 2:])
    rms = np.mean([np.sqrt(np.mean(one**2)) for one in error])
    expected = 0.7 * np.mean(np.abs(error)) + 0.3 * rms
    assert float(ImageLoss(rms=0.3)(output.t2_image, label)) == pytest.approx(float(expected), rel=1e-5)


def test_a_slice_without_error_has_a_gradient_of_zero():
    image = torch.zeros(1, 1, 8, 8, requires_grad=True)
    ImageLoss(rms=0.5)(image, torch.zeros(1, 4, 8, 8)).backward()
    assert torch.equal(image.grad, torch.zeros_like(image))


@pytest.mark.parametrize("rms", [-0.1, 1.5, "half"])
def test_the_image_loss_refuses_a_weight_outside_0_to_1(rms: object):
    with pytest.raises(BundleError, match=f"The loss weight rms is a number from 0 to 1, not {rms!r}"):
        ImageLoss(rms=rms)


def test_dudornets_loss_sums_image_and_kspace_over_the_recurrences():
    generator = torch.Generator().manual_seed(1)
    images, kspaces = (torch.randn(3, *SHAPE, generator=generator) for _ in range(2))
    _, label = draw()
    kspace = label[:, 2:].numpy()
    values = np.fft.ifftshift(kspace[:, 0] + 1j * kspace[:, 1], (-2, -1))
    complex_image = np.fft.fftshift(np.fft.ifft2(values, norm="ortho"), (-2, -1))
    image = np.stack((complex_image.real, complex_image.imag), axis=1)
    expected = sum(
        np.mean(np.abs(i.numpy() - image)) + np.mean(np.abs(k.numpy() - kspace)) for i, k in zip(images, kspaces)
    )
    loss = DualDomainLoss()(DuDoRNetOutput(images, kspaces, kspaces[-1]), label)
    assert float(loss) == pytest.approx(float(expected), rel=1e-5)

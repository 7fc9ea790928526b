"""Rigid registration and resampling by ITK; the only user of ITK.

MONAI and nibabel give points in RAS millimetres, ITK in LPS. All that is public is RAS; ``_LPS`` converts for ITK.
A transform maps a point of the fixed image (T2) to the point of the moving image (T1) that shows the same anatomy.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Any

import itk
import numpy as np
import torch
from monai.data import MetaTensor
from monai.data.itk_torch_bridge import metatensor_to_itk_image

from .uninterrupted import uninterrupted

__all__ = ["find_transform", "head_centre", "resample"]

_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
_FINEST = 1.0  # mm, of the last level; the axes that are coarser than a level keep their own spacing


def find_transform(
    fixed: MetaTensor, moving: MetaTensor, levels: int, samples: int, seed: int, shift: Sequence[float] = (0, 0, 0)
) -> np.ndarray:
    """The rigid transform of greatest Mattes mutual information, level after level from coarse to fine.

    Args:
        fixed, moving: ``(1, x, y, z)``.
        levels: resolutions, each twice as fine as the one before, the last about 1 mm.
        samples: voxels that the metric draws at the last level.
        seed: of that draw; one seed gives one result, to the bit.
        shift: RAS mm, by which T1 lies off at the start; 0 is what the headers say.

    Returns:
        ``(4, 4)`` RAS mm, fixed to moving.

    Raises:
        RuntimeError: what ITK's exceptions become in Python.
    """
    transform = _itk("Euler3DTransform", "D").New(Center=(_LPS @ head_centre(fixed))[:3].tolist())
    transform.SetTranslation((_LPS[:3, :3] @ np.asarray(shift, dtype=np.float64)).tolist())
    images = _to_itk(fixed), _to_itk(moving)
    shape, spacing = np.array(fixed.shape[1:]), np.linalg.norm(_affine(fixed)[:3, :3], axis=0)
    for level in reversed(range(levels)):
        size = _FINEST * 2**level
        shrink = np.clip(np.round(size / spacing), 1, np.maximum(1, shape // 8)).astype(int)
        # The coarse levels only have to come near; the last one decides, so it draws more and slows down later.
        count, relaxation = (samples // 6, 0.6) if level else (samples, 0.8)
        method = _method(images, transform, size / 2, relaxation)
        method.SetMetricSamplingPercentage(min(1.0, count / float(np.prod(shape // shrink))))
        method.SetSmoothingSigmasPerLevel([size / 2 if level else 0.0])  # mm
        method.SetShrinkFactorsPerDimension(0, shrink.tolist())
        method.MetricSamplingReinitializeSeed(seed)
        method.Update()
    matrix = np.eye(4)
    matrix[:3] = np.column_stack((itk.array_from_matrix(transform.GetMatrix()), list(transform.GetOffset())))
    return _LPS @ matrix @ _LPS


def _method(images: tuple[Any, Any], transform: Any, step: float, relaxation: float) -> Any:
    """A registration of one level, which improves ``transform`` in place."""
    metric = _itk("MattesMutualInformationImageToImageMetricv4", "IF3IF3").New(
        NumberOfHistogramBins=32,
        MaximumNumberOfWorkUnits=1,  # with more, sums are formed in the order in which threads come
        UseFixedImageGradientFilter=False,
        UseMovingImageGradientFilter=False,
    )
    return _itk("ImageRegistrationMethodv4", "REGv4F3F3").New(
        FixedImage=images[0],
        MovingImage=images[1],
        Metric=metric,
        Optimizer=_optimiser(metric, step, relaxation),
        InitialTransform=transform,
        InPlace=True,
        NumberOfLevels=1,
        MetricSamplingStrategy=_itk("ImageRegistrationMethodv4", "Enums").MetricSamplingStrategy_RANDOM,
    )


def _optimiser(metric: Any, step: float, relaxation: float) -> Any:
    """Gradient descent by steps in mm, shortened by ``relaxation`` at every turn until they are 0.01 mm."""
    return _itk("RegularStepGradientDescentOptimizerv4", "D").New(
        ScalesEstimator=_itk("RegistrationParameterScalesFromPhysicalShift", "MMIITIMF3").New(Metric=metric),
        DoEstimateLearningRateOnce=False,
        LearningRate=step,
        RelaxationFactor=relaxation,
        MinimumStepLength=0.01,
        GradientMagnitudeTolerance=1e-8,
        NumberOfIterations=100,
        NumberOfWorkUnits=1,
    )


def resample(moving: MetaTensor, fixed: MetaTensor, transform: np.ndarray) -> MetaTensor:
    """The moving volume on the fixed grid, trilinear (no overshoot), 0 outside its field of view.

    Args:
        moving: ``(1, x, y, z)``.
        fixed: ``(1, x', y', z')``, whose grid is taken.
        transform: ``(4, 4)`` RAS mm, fixed to moving.

    Returns:
        float32 ``(1, x', y', z')`` with the fixed affine; the voxels of ``moving`` unchanged where the grids
        are one and the transform is the identity.
    """
    affine = fixed.affine.double()
    kept = {key: value for key, value in moving.meta.items() if key != "affine"}
    meta = {**kept, "spatial_shape": np.asarray(fixed.shape[1:]), "original_affine": affine.numpy().copy()}
    same_grid = moving.shape == fixed.shape and torch.allclose(moving.affine.double(), affine, atol=1e-4)
    if same_grid and np.array_equal(transform, np.eye(4)):
        return MetaTensor(moving.as_tensor().float(), affine=affine.clone(), meta=meta)
    lps = _LPS @ np.asarray(transform) @ _LPS
    linear = itk.matrix_from_array(np.ascontiguousarray(lps[:3, :3]))
    mapping = _itk("AffineTransform", "D3").New(Matrix=linear, Offset=lps[:3, 3].tolist())
    grid = {"UseReferenceImage": True, "ReferenceImage": _to_itk(fixed)}
    resampler = _itk("ResampleImageFilter", "IF3IF3").New(_to_itk(moving), Transform=mapping, **grid)
    resampler.Update()
    voxels = np.ascontiguousarray(itk.array_view_from_image(resampler.GetOutput()).T)
    return MetaTensor(torch.from_numpy(voxels)[None], affine=affine.clone(), meta=meta)


def head_centre(volume: MetaTensor) -> np.ndarray:
    """Homogeneous RAS mm ``(4,)``: the middle of the voxels that are brighter than the mean."""
    voxels = volume.numpy()[0]
    return _affine(volume) @ np.append(np.argwhere(voxels > voxels.mean()).mean(axis=0), 1.0)


def _itk(name: str, types: str) -> Any:
    """``itk.name[...]`` by the name it is wrapped by, ``types`` for those in brackets: float images of 3 axes, F3.

    By brackets ITK first loads all its packages that any such class refers to, which takes a core 17 s instead of 5.
    """
    with uninterrupted():
        return getattr(import_module(f"itk.itk{name}Python"), f"itk{name}{types}")


def _to_itk(volume: MetaTensor) -> Any:
    with uninterrupted():
        return metatensor_to_itk_image(volume, channel_dim=0, dtype=np.float32)


def _affine(volume: MetaTensor) -> np.ndarray:
    return np.asarray(volume.affine, dtype=np.float64)

"""The metrics of whole volumes as MONAI's evaluator takes them, computed once for means, tables and figures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from ignite.engine import Engine
from monai.handlers import IgniteMetricHandler, from_engine
from monai.metrics import CumulativeIterationMetric
from torch import Tensor

from ..errors import BundleError
from .metrics import DEFAULT_PROFILE, METRICS, PROFILES, ZERO_FILLED, known

__all__ = ["SCORES", "VolumeMetric", "VolumeMetricHandler", "volume_metrics"]

SCORES = "scores"  # key of a volume's output: its metrics by name, such as psnr and zf_psnr
_PREFIX = "val_"  # of the names that the evaluator, its logs and TensorBoard use


class VolumeMetric(CumulativeIterationMetric):
    """One of the metrics, per volume, cumulated over subjects: for ``monai.handlers.IgniteMetricHandler``.

    Unlike MONAI's own regression metrics, the aggregate does not leave out NaN: a subject whose reconstruction failed
    makes the mean NaN instead of dropping out of it.

    Args:
        metric: a key of :data:`METRICS`.
        profile: a key of :data:`PROFILES`.

    Raises:
        BundleError: unknown metric or profile.
    """

    def __init__(self, metric: str = "psnr", profile: str = DEFAULT_PROFILE) -> None:
        super().__init__()
        self.metric = known(metric, METRICS, "metric")
        self.profile = known(profile, PROFILES, "metric profile")

    def _compute_tensor(self, y_pred: Tensor, y: Tensor) -> Tensor:  # type: ignore[override]
        """``(b, 1, h, w, s)`` prediction and reference to ``(b, 1)`` values, float32, on the prediction's device."""
        if y_pred.ndim != 5 or y_pred.shape[1] != 1:
            raise BundleError(
                "A volume metric expects (batch, 1, h, w, slices), but got a prediction of shape"
                f" {tuple(y_pred.shape)}: collect a subject's slices into a volume first."
            )
        function = METRICS[self.metric]
        values = [function(p, r, self.profile) for p, r in zip(y_pred[:, 0], y[:, 0], strict=True)]
        return torch.stack(values)[:, None].to(device=y_pred.device, dtype=torch.float32)

    def aggregate(self) -> Tensor:  # type: ignore[override]
        """Mean over all volumes since :meth:`reset`, of all processes; a scalar.

        Raises:
            BundleError: no volume was given.
        """
        values = self.get_buffer()
        if values is None:
            raise BundleError(f"No volume was evaluated, so that there is no mean {self.metric}: the list is empty.")
        return values.mean()


class VolumeMetricHandler(IgniteMetricHandler):
    """A metric of every volume, and its mean over all.

    Each volume's value is added to its output, in the dictionary :data:`SCORES`. Handlers that the evaluator attaches
    after its metrics, as MONAI does with ``val_handlers``, find it there.

    Args:
        name: a key of :data:`~bundle.evaluation.METRICS`, of the network's image ``pred``; with ``zf_`` before it, of
            the zero-filled image ``zf_pred``. Both are compared with ``label``, all ``(1, h, w, s)``.
        profile: how the metric is defined, a key of :data:`~bundle.evaluation.PROFILES`.

    Raises:
        BundleError: unknown metric or profile.
    """

    def __init__(self, name: str, profile: str = DEFAULT_PROFILE) -> None:
        metric = VolumeMetric(name.removeprefix(ZERO_FILLED), profile)
        image = f"{ZERO_FILLED}pred" if name.startswith(ZERO_FILLED) else "pred"
        super().__init__(metric_fn=metric, output_transform=from_engine([image, "label"]))
        self.name = name
        self._latest: list[float] = []

    def update(self, output: Sequence) -> None:
        """Compute the metric of an iteration's volumes, predictions and labels."""
        self._latest = torch.as_tensor(self.metric_fn(*output)).flatten().tolist()

    def iteration_completed(self, engine: Engine) -> None:
        """Called by the evaluator."""
        super().iteration_completed(engine)
        outputs: Any = engine.state.output
        for output, value in zip(outputs, self._latest, strict=True):
            output.setdefault(SCORES, {})[self.name] = value


def volume_metrics(names: Sequence[str], profile: str = DEFAULT_PROFILE) -> dict[str, VolumeMetricHandler]:
    """The evaluator's ``key_val_metric`` or ``additional_metrics``.

    Args:
        names: ``val_`` and the name that :class:`VolumeMetricHandler` takes, such as ``val_ssim``, ``val_zf_ssim``.
        profile: how the metrics are defined.

    Raises:
        BundleError: unknown metric or profile.
    """
    return {name: VolumeMetricHandler(name.removeprefix(_PREFIX), profile) for name in names}

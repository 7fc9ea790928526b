"""The progress of a reconstruction, slice by slice, around whatever computes it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from monai.inferers import Inferer
from torch import Tensor

from ..console import progress_bar

__all__ = ["ProgressInferer"]


class ProgressInferer(Inferer):
    """Calls another inferer, with a bar of the slices that the network has done; none where no terminal shows it.

    MONAI's own bar has no name, leaves a line for each volume, and goes to files too.

    Args:
        inferer: called with the volume and the network.
        tell: called after each batch with the slices that are done, and how many there are.
    """

    def __init__(self, inferer: Inferer, tell: Callable[[int, int], Any] | None = None) -> None:
        self.inferer = inferer
        self.tell = tell

    def __call__(self, inputs: Tensor, network: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """What the other inferer returns; ``inputs`` is ``(b, channels, h, w, s)``."""
        slices = inputs.shape[0] * inputs.shape[-1]
        done = 0
        with progress_bar(total=slices, desc="Reconstructing", unit="slice") as bar:

            def counted(batch: Tensor, *more: Any, **named: Any) -> Any:
                nonlocal done
                found = network(batch, *more, **named)
                done += len(batch)
                bar.update(len(batch))
                if self.tell is not None:
                    self.tell(done, slices)
                return found

            return self.inferer(inputs, counted, *args, **kwargs)

"""From two files to the reconstructed volume, in a program that stays as it was; the pipeline is inference.yaml's."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, Never

import numpy as np
import torch
from monai.bundle import ConfigParser
from monai.data import MetaTensor

from ..compute.memory import freed_memory_as_before
from ..data import inference_items
from ..errors import BundleError, first_bundle_error
from ..paths import own_root
from ..settings import check_values, kinds
from ..settings.merged import check_config
from ..settings.shipped import CONFIGS, closest
from . import SETTINGS
from .destination import AnyPath, check_destination, check_series_destination, path_from, write_reconstruction

__all__ = ["reconstruct"]


def reconstruct(
    t1: AnyPath,
    t2: AnyPath,
    *,
    output: AnyPath | None = None,
    overwrite: bool = False,
    t1_series: int | str | None = None,
    t2_series: int | str | None = None,
    output_format: Literal["nifti", "dicom"] = "nifti",
    checkpoint: AnyPath | None = None,
    device: str | torch.device | None = None,
    pattern: kinds.Pattern = "random",
    acceleration: float = 6,
    center_fraction: float | None = None,
    noise_level: float = 0.1,
    noise_unit: kinds.NoiseUnit = "mean",
    phase_level: float = 0,
    visible: Sequence[Literal["t1", "t2"]] = ("t1", "t2"),
    register_to: kinds.RegisterTo = "acquired",
    check_guide: bool = False,
    image_size: int | Sequence[int] | Literal["acquired"] | None = 256,
    seed: int = 0,
    amp: bool = True,
    channels_last: bool | None = None,
    compile: bool = False,  # noqa: A002 - the setting's name
    mirroring: bool = False,
    save_uncertainty: bool = False,
    **unknown: Never,
) -> MetaTensor:
    """Reconstruct T2, undersampled, with the help of T1; what ``run inference`` of configs/inference.yaml writes.

    The undersampled scan is simulated from the fully sampled T2. Nothing of the calling program is changed: logging,
    warnings, random numbers, torch's switches, signals. Progress is logged by ``bundle`` at level INFO.

    Args:
        t1: NIfTI file or folder of a DICOM series, fully sampled, on any grid; it is aligned to T2.
        t2: likewise, of the same subject.
        output: file to write, ``.nii.gz`` or ``.nii``, with a report of the same name, ``.json``; None writes nothing.
        overwrite: whether they may be replaced.
        t1_series: which series, by number or UID, where the folder ``t1`` holds several.
        t2_series: likewise, of ``t2``.
        output_format: ``dicom``: ``output`` is a folder, for a DICOM series derived from that of ``t2``.
        checkpoint: weights; None takes those that are shipped, ``models/model.pt``.
        device: where to compute, as ``cuda:0``; None takes a GPU if there is any.
        pattern: of the samples: random, uniform, radial, spiral, fastmri_random or fastmri_equispaced.
        acceleration: 6 for 6x; all samples counted, the centre included.
        center_fraction: fully sampled; None: 0.08 up to 4x, 0.06 below 8x, 0.04 from 8x on.
        noise_level: standard deviation of real and imaginary part, in ``noise_unit``.
        noise_unit: ``mean`` of the slice or ``foreground_mean``; ``snr_db``: the level is a ratio of powers in dB.
        phase_level: standard deviation of T2's smooth random phase, radians; 0 leaves its k-space Hermitian.
        visible: what the network is given; ``["t2"]``: no guide, ``["t1"]``: no scan.
        register_to: ``acquired``, ``reconstruction`` or ``t2``: the image that T1 is registered to.
        check_guide: leave T1 out where samples that are held back are better predicted without it.
        image_size: matrix, ``n`` or ``(h, w)``, divisible by 16; None: T2's own, padded to that; ``acquired``:
            that, less what is empty of its k-space.
        seed: of mask and noise.
        amp: mixed precision, where it is faster.
        channels_last: layout in memory; None takes the faster one.
        compile: with ``torch.compile``.
        mirroring: average each slice with its mirror image's reconstruction, in twice the time.
        save_uncertainty: also compute a standard deviation for each voxel (docs/uncertainty.md), in twice the time, and
            write it as ``OUT_uncertainty.nii.gz`` where ``output`` is OUT.

    Returns:
        float32 ``(x, y, z)`` on the CPU, with T2's grid, affine and units, as MONAI's ``LoadImage`` reads the file;
        ``meta["report"]`` tells files, scan, weights and how T1 was aligned, ``meta["uncertainty"]`` is the standard
        deviation, a ``MetaTensor`` like it, where it was asked for.

    Raises:
        BundleError: a mistake, in one sentence: a file, a value, or a setting that there is not.
    """
    return _reconstructed(locals())


def _reconstructed(given: Mapping[str, Any]) -> MetaTensor:
    """What :func:`reconstruct` returns for its arguments, written where they ask for it."""
    _refuse_unknown(given["unknown"])
    files = {name: path_from(name, given[name]) for name in ("t1", "t2")}
    settings = _settings(given)
    target = _destination(given, files, settings["save_uncertainty"])
    return _delivered(target, files["t2"], *_computed(files | settings))


def _delivered(
    target: Path | None, t2: Path, volume: MetaTensor, uncertainty: MetaTensor | None, report: dict[str, Any]
) -> MetaTensor:
    """Write what is to be written, and return what :func:`reconstruct` does."""
    if target is not None:
        report = write_reconstruction(target, volume, uncertainty, report)
    meta = {"filename_or_obj": str(t2), "original_channel_dim": float("nan")}
    more = {} if uncertainty is None else {"uncertainty": _read_back(uncertainty, meta)}
    return _read_back(volume, meta | more | {"report": report})


def _read_back(volume: MetaTensor, meta: dict[str, Any]) -> MetaTensor:
    """``(1, x, y, z)`` as MONAI's ``LoadImage`` gives it."""
    return MetaTensor(volume.as_tensor()[0], affine=volume.affine, meta=dict(meta))


def _destination(given: Mapping[str, Any], files: Mapping[str, Path], uncertainty: bool) -> Path | None:
    output, overwrite = given["output"], given["overwrite"]
    if given["output_format"] == "nifti":
        return None if output is None else check_destination(output, overwrite, files, uncertainty)
    if output is None:
        raise BundleError("output_format dicom writes a series; name its folder with output, or leave it out.")
    series = {name: given[name] for name in ("t1_series", "t2_series")}
    (item,) = inference_items(str(files["t1"]), str(files["t2"]), "", **series)
    return check_series_destination(output, overwrite, item, uncertainty)


def _refuse_unknown(unknown: Mapping[str, Any]) -> None:
    for name in unknown:
        known = [key for key in inspect.signature(reconstruct).parameters if key != "unknown"]
        nearest = closest(name, known)
        raise BundleError(
            f"reconstruct takes no {name}; "
            + (f"did you mean {nearest}?" if nearest else f"it takes {', '.join(known)}.")
        )


def _settings(given: Mapping[str, Any]) -> dict[str, Any]:
    """Overrides of inference.yaml; none of its expressions, as values may come from whom the program serves."""
    values = {name: _plain(given[name]) for name in SETTINGS if name != "device" or given[name] is not None}
    check_values(values, expressions=False)
    checkpoint = given["checkpoint"]
    own = own_root() / "models" / "model.pt"
    return values | {"checkpoint": own if checkpoint is None else path_from("checkpoint", checkpoint)}


def _plain(value: Any) -> Any:
    """Numbers and lists of numpy, and tuples, as the configs have them."""
    value = value.tolist() if isinstance(value, (np.generic, np.ndarray)) else value
    return [_plain(part) for part in value] if isinstance(value, (tuple, list)) else value


def _computed(settings: Mapping[str, Any]) -> tuple[MetaTensor, MetaTensor | None, dict[str, Any]]:
    """The volume, ``(1, x, y, z)``, its uncertainty, if that is asked for, and their report."""
    with TemporaryDirectory(prefix="manet-") as cache, _process_as_before():
        parser = ConfigParser()
        parser.read_config(str(CONFIGS / "inference.yaml"))
        parser.update({**settings, "cache_dir": cache, "handlers": []})
        try:
            check_config(parser.config, "inference", parser.locator)  # type: ignore[arg-type]  # MONAI's annotation
            for step in ("load", "calibrations", "acquisition"):  # refuse before the pair is aligned
                parser.get_parsed_content(step)
            evaluator, reports = (parser.get_parsed_content(name) for name in ("evaluator", "reports"))
            evaluator.run()
        except Exception as error:  # MONAI wraps what happens while it builds a component
            if sentence := first_bundle_error(error):
                raise BundleError(sentence) from None
            raise
        output = evaluator.state.output[0]
        return output["pred"], output.get("uncertainty"), reports.report_of(evaluator.state.batch[0])


@contextmanager
def _process_as_before() -> Iterator[None]:
    """Undo what imports do to warnings, MONAI's loader to torch's random numbers, and a network on a CPU to memory."""
    with warnings.catch_warnings(), torch.random.fork_rng(devices=[]), freed_memory_as_before():
        yield

"""Every setting that stands at the top of the shipped configs: type and range, default, meaning.

README.md's table is made from it (``python -m bundle settings``), a run checks its values against it before anything is
read, a study when its file is read. An overlay may put a component in a setting's place; its own arguments are then
checked by itself.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

from . import kinds
from .words import plain

__all__ = ["MAY_CHANGE", "Settings"]

# What may differ when a training is resumed; it ends where it would have, or only further
MAY_CHANGE = frozenset(
    "epochs num_workers device amp compile channels_last overwrite resume network_name start_from "
    "bundle_root dataset_dir output_dir cache_dir".split()
)


def _declared(default: Any, meaning: str, shown: str | None = None) -> Any:
    """A setting; ``shown`` is its default in words, where the configs have an expression."""
    return Field(default, description=meaning, json_schema_extra={"shown": shown})


class Settings(BaseModel):
    """The settings by id, as the configs have them; a default that begins with ``$`` is an expression there."""

    model_config = ConfigDict(strict=True, extra="ignore", hide_input_in_errors=True)

    # the scan
    pattern: kinds.Pattern = _declared(
        "random",
        "1D lines (`random`, `uniform`) or 2D points (`radial`, `spiral`), with the exact number of samples; "
        "`fastmri_...` as MONAI and fastMRI draw them",
    )
    acceleration: kinds.Acceleration = _declared(6, "all samples counted, the centre included")
    center_fraction: kinds.CenterFraction = _declared(
        None, "fully sampled centre; null: 0.08 up to 4x, 0.06 below 8x, 0.04 from 8x on"
    )
    visible: kinds.Visible = _declared(["t1", "t2"], "what the network is given; `[t2]`: no guide, `[t1]`: no scan")
    guide: kinds.Guide = _declared(
        None,
        "validation and test: another T1, misregistered or of another subject (`bundle/acquisition/guides.py`); "
        "null: each pair's own",
    )
    noise_level: kinds.From0To1000 = _declared(0.1, "standard deviation of real and imaginary part, in `noise_unit`")
    noise_unit: kinds.NoiseUnit = _declared(
        "mean",
        "the mean voxel of a slice, as in the paper, or of its foreground; `snr_db`: `noise_level` is the ratio of the "
        "slice's mean power to the noise's, in decibels: give it as well, as 20",
    )
    phase_level: kinds.From0 = _declared(
        0, "standard deviation of T2's smooth random phase, radians; with 0 its k-space is Hermitian"
    )
    register_to: kinds.RegisterTo = _declared(
        "acquired",
        "evaluation and inference: T1 is registered to the zero-filled image of the scan (`acquired`), to what the "
        "network reconstructs without T1 (`reconstruction`; for weights like `models/model.pt`, trained on missing T1, "
        "too), or to the fully sampled T2 (`t2`), which no scanner has; a training registers to the latter",
    )
    check_guide: kinds.Flag = _declared(
        False,
        "evaluation and inference: leave T1 out where it does not help to predict samples that are held back "
        "([docs/data.md](docs/data.md#simulated-scans)); for weights that were trained on missing T1, too",
    )
    image_size: kinds.Matrix = _declared(
        256,
        "matrix, `n` or `[h, w]`; null: each volume's own, padded to that; `acquired`: that, less the border of its "
        "k-space which is empty, as of interpolated images ([docs/data.md](docs/data.md#simulated-scans))",
    )
    seed: kinds.Seed = _declared(0, "of masks, noise, weights and order")

    # the network
    network_name: kinds.Text = _declared("MANet", "in figures and tables")
    channels: kinds.Whole1 = _declared(
        64,
        "features; the published network has 64 (7,283,670 parameters). Evaluation and inference build the network "
        "that the weights are of",
    )
    stage: kinds.Stage = _declared("both", "`image`: MANet without its k-space stage")
    guidance: kinds.Guidance = _declared(
        "CS",
        "channel, then spatial attention; the others are MANet's ablations. `experiments/unrolled.yaml` has "
        "`concatenation`",
    )
    cascades: kinds.Whole1 = _declared(6, "of the unrolled network (`experiments/unrolled.yaml`)")
    widths: kinds.Wholes = _declared([32, 64, 128], "its features, one a level (`experiments/unrolled.yaml`)")
    instance_norm: kinds.Flag = _declared(
        True, "whether its blocks normalise their features (`experiments/unrolled.yaml`)"
    )
    coils: kinds.Whole1 = _declared(8, "of the simulated scan (`experiments/unrolled_multicoil.yaml`)")
    recurrences: kinds.Whole1 = _declared(5, "of DuDoRNet (`experiments/dudornet.yaml`)")

    # its training
    start_from: kinds.MaybePath = _declared(
        None, "weights that a training begins with, such as `models/model.pt`; null: random ones"
    )
    epochs: kinds.Whole1 = _declared(50, "as the paper")
    batch_size: kinds.Whole1 = _declared(8, "slices, of each process; as the paper")
    learning_rate: kinds.Above0 = _declared(0.001, "of Adam; as the paper")
    val_interval: kinds.Whole1 = _declared(1, "epochs from one validation to the next")
    alpha: kinds.Share = _declared(0.4, "Eq. 6: weight of k-space against image")
    beta: kinds.Share = _declared(0.6, "Eq. 6: weight of T2 against T1")
    resume: kinds.Flag = _declared(False, "go on from `OUT/last.pt`, with the settings that it was trained with")
    folds: kinds.Whole2 = _declared(3, "parts that the subjects are dealt to (`cross_validation.yaml`)")
    fold: kinds.Whole0 = _declared(0, "which of them is tested, below `folds` (`cross_validation.yaml`)")

    # how it computes
    device: kinds.Device = _declared("$idist.device()", "where the network computes", "a GPU if any")
    num_workers: kinds.Whole0 = _declared(2, "processes that simulate the scans of a training")
    amp: kinds.Flag = _declared(
        True,
        "mixed precision where it is faster: on GPUs that compute in bfloat16 and on CPUs with AMX "
        "([docs/performance.md](docs/performance.md))",
    )
    channels_last: kinds.FlagOrNull = _declared(None, "layout in memory; null: the faster one on this processor")
    compile: kinds.Flag = _declared(False, "with `torch.compile`")
    mirroring: kinds.Flag = _declared(
        False,
        "validation, evaluation and inference: average each slice's reconstruction with that of its mirror image, in "
        "twice the time ([docs/README.md](docs/README.md#performance)); for weights that were trained with flips",
    )
    sync_batch_norm: kinds.Flag = _declared(True, "batch statistics over all processes (`multi_gpu.yaml`)")

    # where
    bundle_root: kinds.Path = _declared(
        ".",
        "the bundle's folder, to which defaults refer; where it is none, as in any other folder, inference takes the "
        "weights of the bundle that runs",
    )
    dataset_dir: kinds.Path = _declared("$@bundle_root + '/demo_data'", "a folder with `datalist.json`", "demo data")
    output_dir: kinds.Path = _declared("$@bundle_root + '/outputs'", "`OUT` above", "`outputs`")
    cache_dir: kinds.Path = _declared("$str(@output_dir) + '/cache'", "aligned slices", "`OUT/cache`")
    overwrite: kinds.Flag = _declared(False, "replace existing outputs")

    # evaluation and inference
    split: kinds.Text = _declared("test", "list of the datalist: training, validation or test")
    checkpoint: kinds.MaybePath = _declared(
        None, "weights, or an export (`.ts`, `.onnx`); null: `OUT/model.pt`, else in inference `models/model.pt`"
    )
    t1: kinds.MaybePath = _declared(None, "inference: a file or the folder of a DICOM series, fully sampled")
    t2: kinds.MaybePath = _declared(None, "inference: likewise, on its own grid; T1 is aligned to it")
    t1_series: kinds.SeriesOrNull = _declared(None, "inference: which series, where the folder `t1` holds several")
    t2_series: kinds.SeriesOrNull = _declared(None, "inference: which series, where the folder `t2` holds several")
    kspace: kinds.MaybePath = _declared(
        None, "inference from raw k-space (`inference_kspace.yaml`): a file of T2 ([docs/kspace.md](docs/kspace.md))"
    )
    pairs: kinds.MaybePath = _declared(
        None, "folder with fastMRI's lists of PD and PDFS files (`fastmri.yaml`); null: `dataset_dir` holds them"
    )
    output_format: kinds.OutputFormat = _declared(
        "nifti", "inference: `dicom` writes a series derived from that of T2 ([docs/dicom.md](docs/dicom.md))"
    )
    save_reconstructions: kinds.Flag = _declared(False, "evaluation: write the volumes")
    save_at_most: kinds.Whole1OrNull = _declared(None, "evaluation: so many volumes, the first of the list")
    save_uncertainty: kinds.Flag = _declared(
        False,
        "evaluation and inference: a standard deviation for each voxel ([docs/uncertainty.md](docs/uncertainty.md)), "
        "which takes twice the time",
    )
    coverage: kinds.Flag = _declared(
        False,
        "evaluation: how often that interval holds, by region and scan ([docs/uncertainty.md](docs/uncertainty.md))",
    )
    structures: kinds.Flag = _declared(
        False,
        "evaluation: insert lesion-like structures and measure what survives ([docs/lesions.md](docs/lesions.md))",
    )

    @field_validator("*", mode="before")
    @classmethod
    def _as_yaml(cls, value: Any) -> Any:
        """The command line's words, and its tuples."""
        value = plain(value)
        return list(value) if isinstance(value, tuple) else value

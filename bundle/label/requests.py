"""What a client may ask of a reconstruction: the settings of the scan, in the words of configs/inference.yaml."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import yaml

from ..errors import BundleError
from ..reconstruction import SETTINGS
from ..settings import check_values

__all__ = ["OF_A_BATCH", "OF_A_TRAINING", "SCAN", "check_names", "scan_settings"]

_NOT_HERE = "t1_series t2_series output_format".split()  # of files that it neither reads nor writes
_OPERATORS = "device amp channels_last compile".split()
SCAN = [name for name in SETTINGS if name not in _NOT_HERE + _OPERATORS]
WEIGHTS = ("weights", "t1")
OF_A_BATCH = "device multi_gpu gpus logging save_label label_tag max_workers max_batch_size images".split()
OF_A_TRAINING = "device pretrained max_epochs val_split channels batch_size learning_rate image_size".split()
_OTHERS = """model image label description session result_extension result_dtype result_compress result_write_to_file
timeout skip_writer""".split()
_ALIKE = 0.8  # from which a name is taken for a slip; MONAI Label's _image_id is as near to image_size as 0.7
KNOWN = {*SCAN, *WEIGHTS, *OF_A_BATCH, *_OTHERS}


def check_names(request: Iterable[str], also: Collection[str] = ()) -> None:
    """Refuse what is nearly a setting and none, or one that has no use here; what else clients add is passed over.

    Args:
        request: names.
        also: settings that have a use where this server's images come from.

    Raises:
        BundleError: there is one, which is named with what may have been meant.
    """
    for name in request:
        if name in _NOT_HERE and name not in also:
            raise BundleError(f"This server does not know {name}; it reads and writes one NIfTI file.")
        near = [] if name in KNOWN else difflib.get_close_matches(name, KNOWN, n=1, cutoff=_ALIKE)
        if near and near[0] in (*SCAN, *WEIGHTS):
            raise BundleError(f"There is no setting {name}; did you mean {near[0]}?")


def scan_settings(request: Mapping[str, Any]) -> dict[str, Any]:
    """The settings among what a client asks; texts, which Slicer's table of options holds, are read as in a config.

    Args:
        request: may hold other entries, of MONAI Label and its clients.

    Raises:
        BundleError: a value is none of its setting.
    """
    values = {name: _plain(request[name]) for name in SCAN if request.get(name) is not None}
    check_values(values, expressions=False)
    return values


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        try:
            return yaml.safe_load(value)
        except yaml.YAMLError:
            return value
    return value

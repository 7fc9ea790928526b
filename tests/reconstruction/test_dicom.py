"""From two DICOM series to a third, by the config, the function and the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from bundle import BundleError, reconstruct
from bundle.__main__ import main
from bundle.data.reading import read_volume
from tests.bundle_runs import run, sentence_of
from tests.dicom_series import write_dicom_pair


@pytest.fixture(scope="module")
def series(tmp_path_factory) -> tuple[str, str]:
    return write_dicom_pair(tmp_path_factory.mktemp("series"))


def test_the_config_and_the_command_line_write_one_series_where_t2_lies_and_keep_it(
    series, checkpoint, tmp_path, capsys
):
    t1, t2 = series
    output, config = tmp_path / "new" / "x", {"checkpoint": str(checkpoint), "output_dir": str(tmp_path)}
    run("inference", t1=t1, t2=t2, device="cpu", image_size=32, acceleration=3, output_format="dicom", **config)
    words = f"--output_format dicom --device cpu --image_size 32 --acceleration 3 --checkpoint {checkpoint}".split()
    line = ["reconstruct", t1, t2, "-o", str(output), *words]
    assert main(line) == 0
    assert capsys.readouterr().out.splitlines()[-1].endswith(f"Written to {output.parent}: x, x.json")
    source, first, second = (read_volume(folder) for folder in (t2, tmp_path / "T2_recon", output))
    assert torch.equal(first, second) and torch.equal(first.affine, source.affine) and first.std() > 1
    reports = [json.loads(path.read_text()) for path in (tmp_path / "T2_recon.json", tmp_path / "new" / "x.json")]
    assert reports[0] == reports[1] | {"reconstruction": "T2_recon"} and reports[0]["files"]["t2_series"]
    before = {path: path.read_bytes() for path in output.iterdir()}
    assert len(before) == 6 and main(line) == 1
    assert f"Error: There is {output} and {output}.json already; name another" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in output.iterdir()} == before


def test_a_wrong_format_or_series_is_one_sentence_and_leaves_nothing(series, pair, checkpoint, tmp_path):
    study = str(Path(series[0]).parent)
    with pytest.raises(Exception) as raised:
        run("inference", t1=pair[0], t2=pair[1], output_dir=str(tmp_path / "out"), output_format="dicom", image_size=32)
    assert "T2 is no DICOM series" in sentence_of(raised.value)
    for given, said in (
        ({"t2": pair[1], "output": "x"}, "writes a series like that of T2, but T2 is no DICOM series: .*x-T2.nii.gz"),
        ({"output": "x.nii.gz"}, "With output_format dicom the output is a folder, not .*x.nii.gz; name one"),
        ({"output": None}, "output_format dicom writes a series; name its folder with output"),
        ({"t2": study, "output": "x"}, "holds 2 DICOM series: 3 't1_se_tra' .10 slices., 5 .* --t2_series 3 on the"),
        ({"output": ".."}, "holds other things|would lie in the folder"),
        ({"output_format": "png", "output": "x"}, "output_format is nifti or dicom, not 'png'"),
    ):
        given = {"t1": series[0], "t2": series[1], "output_format": "dicom"} | given
        given["output"] = given["output"] and tmp_path / given["output"]
        with pytest.raises(BundleError, match=said):
            reconstruct(**given, checkpoint=checkpoint)
    assert list(tmp_path.iterdir()) == []

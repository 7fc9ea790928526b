"""``python -m bundle reconstruct T1 T2 -o OUT``: a file and a report, or one sentence and the status 1."""

from __future__ import annotations

import json

import nibabel as nib
import pytest

from bundle.__main__ import main
from tests.nifti_pairs import T2_SHAPE


def test_it_writes_a_reconstruction_with_its_settings_tells_so_and_keeps_it(pair, checkpoint, tmp_path, capsys):
    output = tmp_path / "out.nii"
    words = "--acceleration 3 --visible [t2] --image_size [32,48] --center_fraction null --amp false --device cpu"
    line = ["reconstruct", *pair, "-o", str(output), "--checkpoint", str(checkpoint), *words.split()]
    assert main(line) == 0
    said = capsys.readouterr()
    assert said.out.splitlines()[-1].endswith(f"Written to {tmp_path}: out.nii, out.json") and said.err == ""
    assert nib.load(output).shape == T2_SHAPE and nib.load(output).get_fdata().std() > 1
    settings = json.loads((tmp_path / "out.json").read_text())["settings"]
    given = {"acceleration": 3, "visible": ["t2"], "image_size": [32, 48], "center_fraction": None}
    assert {name: settings[name] for name in given} == given
    assert main(line) == 1
    assert f"Error: There is {output} and {tmp_path / 'out.json'} already; name another" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["--image_size", "[32"],
            "image_size is a multiple of 16 up to 4096, a pair of them, acquired, or null, not",
        ),
        (["--pattern", "$x"], "pattern is random, "),
        (["--seed", "0x10"], "seed is a whole number from 0 to 4294967295, not '0x10'."),
        (["--seed", "010"], "seed is a whole number from 0 to 4294967295, not '010', which is text here; write 10."),
        (["--checkpoint", "no.pt"], "The checkpoint no.pt does not exist; give another with --checkpoint FILE."),
    ],
)
def test_a_mistake_is_one_sentence_and_leaves_nothing(pair, tmp_path, capsys, words, said):
    assert main(["reconstruct", *pair, "-o", str(tmp_path / "out.nii.gz"), *words]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"Error: {said}")
    assert list(tmp_path.iterdir()) == []

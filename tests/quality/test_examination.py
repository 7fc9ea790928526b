"""Pairs with planted errors are told from good ones, by what is measured of the two images alone."""

from __future__ import annotations

import json

import numpy as np
import pytest

from bundle.quality import examine, judge
from tests.quality.conftest import NAMES


def reasons(examined: dict, trust_headers: bool = False) -> dict[str, str]:
    return {pair["name"]: "; ".join(pair["reasons"]) for pair in judge(list(examined.values()), trust_headers)}


def test_a_mirrored_t1_and_one_of_another_head_are_flagged_and_what_registration_mended_is_not(examined):
    found = reasons(examined)
    assert found["none"] == found["far"] == ""
    assert "mirror" in found["mirrored"] and "somebody else" in found["other"]


def test_a_t1_20_mm_and_15_degrees_off_is_flagged_where_the_headers_are_trusted(examined):
    found = reasons(examined, trust_headers=True)
    assert "T1 does not lie on T2" in found["far"] and "elsewhere than registration puts it" in found["far"]


def test_rotation_and_shift_are_those_that_were_planted(examined):
    far = examined["far"]
    assert far["rotation_degrees"] == pytest.approx(15, abs=0.7) and far["shift_mm"] == pytest.approx(20, abs=1)
    assert far["mutual_information_after"] > 1.5 * far["mutual_information_before"]
    assert examined["none"]["moved_mm"] == pytest.approx(3.6, abs=0.5)


def test_a_damaged_file_is_told_of_with_its_name_and_stops_nothing(examined):
    assert list(examined) == list(NAMES)
    assert "damaged-T1.nii.gz" in examined["damaged"]["failed"] and "\n" not in examined["damaged"]["failed"]
    assert judge(list(examined.values()))[0]["name"] == "damaged"


def test_a_kept_examination_is_not_made_again(examined, pairs, tmp_path, monkeypatch):
    made = []
    monkeypatch.setattr("bundle.quality.examination.measure", lambda *_: made.append(1) or {"likeness_after": 2.0})
    item = {"subject": "none", "t1": str(pairs / "none-T1.nii.gz"), "t2": str(pairs / "none-T2.nii.gz")}
    first, second = (examine({**item, "subject": name}, tmp_path / "kept") for name in ("a", "b"))
    assert made == [1] and first["likeness_after"] == second["likeness_after"] == 2.0 and second["name"] == "b"


@pytest.mark.parametrize("kind", [np.linalg.LinAlgError, IndexError, OSError])
def test_a_surprise_in_one_pair_is_a_sentence_and_no_end(pairs, monkeypatch, kind):
    def surprise(*_):
        raise kind("Singular matrix")

    monkeypatch.setattr("bundle.quality.examination.measure", surprise)
    item = {"subject": "none", "t1": str(pairs / "none-T1.nii.gz"), "t2": str(pairs / "none-T2.nii.gz")}
    assert examine(item)["failed"] == f"{kind.__name__}: Singular matrix"
    json.dumps(examine(item))

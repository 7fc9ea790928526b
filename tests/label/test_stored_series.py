"""Which series of a study is a T1 or a T2 by its description, and which T1 a T2 is given; with no store."""

from __future__ import annotations

import pytest

from bundle.errors import BundleError
from bundle.label.stored_series import StoredSeries, t1_of

T2 = StoredSeries("1", "1.5", "5", "t2_tse_tra", images=44)
T1 = StoredSeries("1", "1.3", "3", "t1_se_tra", images=48)
AFTER = StoredSeries("1", "1.9", "9", "t1_se_tra_km", images=48)
T12 = StoredSeries("1", "1.12", "12", "MPRAGE")
FLAIR = StoredSeries("1", "1.6", "6", "t2_tirm_tra_dark-fluid", images=30)


@pytest.mark.parametrize(
    ("contrast", "descriptions"),
    [
        (
            "T1",
            "t1_se_tra;sT1W_3D_TFE;AX T1;Ax T1 FLAIR;t1_mprage_sag_p2_iso;MPRAGE;FSPGR BRAVO;3D T1w;T1WI;T1FFE;T1 MPR",
        ),
        (
            "T2",
            "t2_tse_tra;T2W_TSE;AX T2;T2 posterior fossa;T2TSE;dT2W_TSE;pd+t2_tse_tra;PD/T2;Sag T2 Cube;t2_space_sag",
        ),
        ("", "AX T2 FLAIR;t2_tirm_tra_dark-fluid;STIR T2;T2*;t2star;T2 map;T1_MAP;T1 rho;t2_fl2d_tra_hemo;ADC_T2"),
        ("", "t1_se_tra_km;AX T1 POST;AX T1+C;T1 +C;T1w_Gd;T1_CE;T1_contrast;t1 t2 mixed;localizer;T10;;ep2d_diff"),
    ],
)
def test_descriptions_of_scanners_are_told_apart(contrast, descriptions):
    said = {text: StoredSeries("1", "1.1", description=text).contrast for text in descriptions.split(";")}
    assert said == dict.fromkeys(said, contrast)


def test_the_protocol_counts_where_the_description_says_nothing_and_a_reconstruction_is_none():
    assert StoredSeries("1", "1.1", description="Series 4", protocol="T1_tra").contrast == "T1"
    assert StoredSeries("1", "1.1", description="T2*", protocol="T2_tra").contrast == ""
    ours = "Research reconstruction, undersampled 5.95x, weights e26e3e7c"
    assert StoredSeries("1", "1.1", description=ours, protocol="T2_tra").contrast == ""
    assert StoredSeries("1", "1.1", description="t1", modality="CT").contrast == ""


def test_the_answer_of_a_store_is_read_with_what_it_leaves_out():
    answer = {
        "0020000D": {"vr": "UI", "Value": ["1"]},
        "0020000E": {"vr": "UI", "Value": ["1.5"]},
        "00200011": {"vr": "IS", "Value": [5]},
        "0008103E": {"vr": "LO", "Value": ["t2_tse_tra"]},
        "00080060": {"vr": "CS", "Value": ["MR"]},
        "00201209": {"vr": "IS", "Value": [44]},
    }
    assert StoredSeries.listed(answer) == T2
    del answer["00200011"], answer["00201209"]
    assert StoredSeries.listed(answer).told() == "1.5 't2_tse_tra'"


def test_the_only_t1_before_a_contrast_agent_is_taken_and_any_series_may_be_asked_for():
    study = [T1, T2, AFTER, FLAIR]
    assert t1_of(T2, study) == t1_of(T2, study, "") == T1
    assert t1_of(T2, study, 9) == t1_of(T2, study, "1.9") == AFTER


@pytest.mark.parametrize(
    ("t2", "study", "asked", "said"),
    [
        (
            T2,
            [T2, FLAIR],
            None,
            "(44 images) holds no T1 by its description, but 6 't2_tirm_tra_dark-fluid' (30 images);",
        ),
        (
            T2,
            [T2],
            None,
            "holds no T1 by its description, but no other series; give the T1 by its number or UID as t1.",
        ),
        (
            T2,
            [T12, T1, T2],
            None,
            "holds 2 T1 series: 3 't1_se_tra' (48 images), 12 'MPRAGE'; choose one by its number",
        ),
        (
            T2,
            [T1, T2, T1],
            3,
            "holds 2 series 3: 1.3 't1_se_tra' (48 images), 1.3 't1_se_tra' (48 images); give the UID as t1.",
        ),
        (T2, [T1, T2], 5, "holds no other series 5, which t1 asks for, but 3 't1_se_tra' (48 images)."),
        (T1, [T1, T2], None, "the series 3 't1_se_tra' (48 images) is a T1 by its description; name the T2"),
    ],
)
def test_without_one_t1_the_series_are_listed_in_one_sentence(t2, study, asked, said):
    with pytest.raises(BundleError) as told:
        t1_of(t2, study, asked)
    assert said in str(told.value) and "\n" not in str(told.value)

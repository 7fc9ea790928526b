"""A study's statistics: the subject as unit, intervals that can be had again, and tests against independent counts."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from bundle.errors import BundleError
from bundle.study.names import AS_TRAINED
from bundle.study.statistics import average_seeds, compare, compare_conditions, holm, summary
from tests.study.studies import result

PSNR = {("manet", 0): [34.0, 35.0, 33.0], ("manet", 1): [36.0, 35.0, 34.0], ("unet", 0): [31.0, 32.5, 30.0]}


def study_results() -> pd.DataFrame:
    """Subjects s0, s1 and s2 by two methods, one of them from two seeds."""
    runs = [(*run, f"s{i}", value) for run, values in PSNR.items() for i, value in enumerate(values)]
    return pd.DataFrame([result(psnr, method=method, seed=seed, subject=name) for method, seed, name, psnr in runs])


def paired_results(differences, n_methods=1) -> pd.DataFrame:
    """A reference of 30 dB and methods that differ from it by ``differences``, exact in floating point."""
    pairs = [
        (name, i, d) for i, d in enumerate(differences) for name in ("manet", *map("m{}".format, range(n_methods)))
    ]
    rows = [result(30.0 + d * (name != "manet"), method=name, subject=f"s{i:03}") for name, i, d in pairs]
    return pd.DataFrame(rows)


def psnr_of(table: pd.DataFrame, method: str = "m0") -> pd.Series:
    return table[(table.metric == "psnr") & (table.method == method)].iloc[0]


def exact_p(differences) -> float:
    """Two-sided signed-rank p by listing every assignment of signs."""
    ranks = stats.rankdata(np.abs(differences))
    centre = ranks.sum() / 2
    seen = abs(ranks[np.asarray(differences) > 0].sum() - centre)
    sums = [np.dot(signs, ranks) for signs in itertools.product((0, 1), repeat=len(ranks))]
    return float(np.mean(np.abs(np.array(sums) - centre) >= seen - 1e-9))


def test_a_subject_is_the_mean_over_seeds_and_nothing_else():
    results = study_results().assign(parameters=7_283_670, training_seconds=600.0)
    manet = average_seeds(results).query("method == 'manet'")
    assert manet.psnr.tolist() == [35.0, 35.0, 33.5] and manet.seeds.tolist() == [2, 2, 2]
    assert average_seeds(results).query("method == 'unet'").seeds.tolist() == [1, 1, 1]
    assert set(manet.parameters) == {7_283_670} and set(manet.training_seconds) == {600.0}


def test_scans_conditions_and_datasets_stay_apart():
    changes = [{}, {"scan": "radial"}, {"condition": "noiseless"}, {"dataset": "other"}, {"subject": "b"}]
    table = average_seeds(pd.DataFrame([result(30.0 + i, **change) for i, change in enumerate(changes)]))
    assert sorted(table.psnr) == [30.0, 31.0, 32.0, 33.0, 34.0]


def test_a_missing_seed_shows_as_a_smaller_count():
    results = study_results().drop(index=4)  # manet, seed 1, s1
    assert average_seeds(results).query("method == 'manet'").seeds.tolist() == [2, 1, 2]
    line = psnr_of(summary(results), "manet")
    assert (line.seeds_min, line.seeds) == (1, 2)
    # s1 has no second seed and must not shift the mean of the first: s0 and s2 are 33.5, then 35.0
    assert line.seed_std == pytest.approx(np.std([33.5, 35.0], ddof=1))


def test_numbers_as_subjects_are_taken_as_names_and_two_results_of_one_seed_or_missing_columns_are_refused():
    assert average_seeds(pd.DataFrame([result(subject=10), result(subject=9)])).subject.tolist() == ["10", "9"]
    with pytest.raises(BundleError, match="Subject a has two results of seed 0 for ixi, r6, manet, as_trained"):
        average_seeds(pd.DataFrame([result(), result(fold=1)]))
    with pytest.raises(BundleError, match="'psnr'"):
        average_seeds(study_results().drop(columns="psnr"))


def test_summary_is_over_subjects_and_one_subject_has_no_spread_nor_one_seed_between_seeds():
    line, subjects = psnr_of(summary(study_results()), "manet"), [35.0, 35.0, 33.5]
    assert line.n == 3 and line["mean"] == pytest.approx(np.mean(subjects))
    assert line["std"] == pytest.approx(np.std(subjects, ddof=1))
    assert line.seed_std == pytest.approx(np.std([34.0, 35.0], ddof=1))
    assert 33.5 <= line.ci_low < line["mean"] < line.ci_high <= 35.0
    assert math.isnan(psnr_of(summary(study_results()), "unet").seed_std)
    line = summary(pd.DataFrame([result()])).iloc[0]
    assert line.n == 1 and line[["std", "seed_std", "ci_low", "ci_high"]].isna().all()


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.filterwarnings("error")
def test_values_that_are_not_finite_do_not_drop_out(value):
    results = study_results()
    results.loc[0, "psnr"] = value
    line, compared = psnr_of(summary(results), "manet"), psnr_of(compare(results, "manet"), "unet")
    assert line.n == 3 and not math.isfinite(line["mean"])
    assert line[["std", "seed_std", "ci_low", "ci_high"]].isna().all()
    assert compared.n == 3 and not math.isfinite(compared.difference) and not compared.significant
    assert math.isnan(compared.p) and math.isnan(compared.p_holm)


def test_order_of_rows_does_not_change_a_digit():
    shuffled = study_results().sample(frac=1, random_state=3)
    pd.testing.assert_frame_equal(summary(study_results()), summary(shuffled), check_exact=True)
    pd.testing.assert_frame_equal(compare(study_results(), "manet"), compare(shuffled, "manet"), check_exact=True)


def test_difference_is_method_minus_reference_and_paired_by_subject():
    manet, unet = {"a": 30.0, "b": 40.0, "c": 1.0}, {"d": 90.0, "b": 37.0, "a": 29.0}
    rows = [result(psnr, subject=name) for name, psnr in manet.items()]
    rows += [result(psnr, subject=name, method="unet") for name, psnr in unet.items()]
    line = psnr_of(compare(pd.DataFrame(rows), "manet"), "unet")
    assert (line.against, line.n, line.difference, line.ci_low, line.ci_high) == ("manet", 2, -2.0, -3.0, -1.0)


TIES = [0.5, 0.5, -0.5, 1.0, 2.0, 2.0, -2.0, 3.0]


@pytest.mark.parametrize("differences", [[0.5, -1.0, 2.0, 3.0, 4.5, -0.25], TIES, [-1.0, -2.0, -3.0]])
def test_p_is_exact_for_few_subjects(differences):
    assert psnr_of(compare(paired_results(differences), "manet")).p == pytest.approx(exact_p(differences))


def test_differences_of_zero_are_left_out_and_only_zeros_give_one():
    some = psnr_of(compare(paired_results([0.0, 1.0, 2.0, -4.0]), "manet"))
    assert some.p == pytest.approx(exact_p([1.0, 2.0, -4.0])) and some.n == 4
    none = psnr_of(compare(paired_results([0.0] * 5), "manet"))
    assert (none.p, none.p_holm, none.difference, none.significant) == (1.0, 1.0, 0.0, False)


def test_smallest_p_is_attained_and_three_subjects_show_nothing():
    three = compare(paired_results([1.0, 2.0, 3.0]), "manet")
    assert set(three.p) == {0.25} and set(three.smallest_p) == {0.25} and not three.significant.any()
    six = psnr_of(compare(paired_results([1.0, 2.0, 3.0, 4.0, 5.0, 6.0]), "manet"))
    assert six.p == six.smallest_p == six.smallest_p_holm == 0.03125 and six.significant
    one = psnr_of(compare(paired_results([1.0]), "manet"))
    assert one.p == one.smallest_p == 1.0


def test_family_is_corrected_for_its_size_and_scans_are_families_of_their_own():
    table = compare(paired_results([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], n_methods=3), "manet")
    assert set(table.comparisons) == {3} and not table.significant.any()
    assert set(table.p_holm) == set(table.smallest_p_holm) == {3 * 0.03125}
    table = compare(pd.concat([paired_results([1.0], 2), paired_results([1.0], 1).assign(scan="radial")]), "manet")
    assert table.groupby("scan").comparisons.unique().map(list).to_dict() == {"radial": [1], "r6": [2]}


def test_reference_and_other_conditions_are_not_compared_and_a_missing_reference_gives_an_empty_table():
    results = pd.concat([paired_results([1.0, 2.0]), paired_results([5.0, 6.0]).assign(condition="noiseless")])
    table = compare(results, "manet")
    assert table.method.unique().tolist() == ["m0"] and table.difference.max() == 1.5
    assert compare(results, "dudornet").empty and "p_holm" in compare(results, "dudornet")
    nothing = results.iloc[:0]
    assert all(table.empty for table in (average_seeds(nothing), summary(nothing), compare_conditions(nothing)))


def test_conditions_are_compared_with_the_same_method_as_trained():
    trained = study_results()
    noisy = trained.assign(psnr=trained.psnr - np.where(trained.method == "manet", 2.0, 1.0), condition="noisy")
    table = compare_conditions(pd.concat([trained, noisy])).query("metric == 'psnr'").set_index("method")
    assert table.difference.to_dict() == pytest.approx({"manet": -2.0, "unet": -1.0})
    assert set(table.condition) == {"noisy"} and set(table.against) == {AS_TRAINED}
    assert set(table.comparisons) == {2} and set(table.p) == {0.25}


def test_holm_equals_values_by_hand_and_counts_a_test_that_could_not_be_made():
    # sorted 0.01, 0.03, 0.04, 0.2, times 4, 3, 2, 1: 0.04, 0.09, 0.08 -> 0.09, 0.2
    np.testing.assert_allclose(holm([0.04, 0.01, 0.2, 0.03]), [0.09, 0.04, 0.2, 0.09])
    np.testing.assert_allclose(holm([0.6, 0.5]), [1.0, 1.0])
    np.testing.assert_allclose(holm([0.01, np.nan, 0.02]), [0.03, np.nan, 0.04])
    assert holm([]).shape == (0,) and holm([0.02]) == [0.02]

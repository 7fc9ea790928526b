"""A study's tables: their layout, that what is shown is what was measured, and that each format is well formed."""

from __future__ import annotations

import io
import math
import re

import numpy as np
import pandas as pd
import pytest
from matplotlib.mathtext import MathTextParser

from bundle.evaluation.metrics import PROFILES
from bundle.study.names import AS_TRAINED
from bundle.study.tables import RenderedTable, study_tables
from tests.study.studies import LABELS, SCANS, Page, results_of, study_of

HOSTILE = r"50 % of A&B_c #1 $x$ {y} \z ~ ^ <b>|[l](u) *e*"
pytestmark = pytest.mark.usefixtures("few_resamples")
NAMES = ["table1", "comparisons", "conditions", "costs"]


def tables_of(subjects: int = 6, results: pd.DataFrame | None = None, **changes) -> dict[str, RenderedTable]:
    study = study_of(**changes)
    results = results_of(study, subjects) if results is None else results
    return {table.name: table for table in study_tables(study, results)}


def texts(table: RenderedTable) -> dict[str, list[str]]:
    """Row label -> its cells as text, where no label comes twice."""
    return {label: [str(cell) for cell in row] for (_, label), row in zip(table.frame.index, table.frame.to_numpy())}


def note_of(table: RenderedTable, start: str) -> str:
    """The note that begins so; nothing where there is none."""
    return next((note for note in table.notes if note.startswith(start)), "")


def ranks(table: RenderedTable, column: int) -> list[str]:
    return [cell.rank for cell in table.frame.iloc[:, column]]


def cells_of(markdown: str) -> list[list[list[str]]]:
    """The tables of a Markdown text, split as GitHub does: at pipes that are not escaped."""
    blocks = [block.splitlines() for block in re.findall(r"(?:^\|.*\|\n?)+", markdown, re.M)]
    return [[[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in block] for block in blocks]


def tabulars(latex: str) -> list[tuple[int, set[int]]]:
    """Of every tabular the columns declared, and its rows' numbers of them, a multicolumn as many as it spans."""
    found = []
    for columns, body in re.findall(r"\\begin\{tabular\}\{([lr]+)\}\n(.*?)\\end\{tabular\}", latex, re.S):
        lines = [line for line in body.splitlines() if line.endswith(r"\\")]
        spans = [sum(int(n) - 1 for n in re.findall(r"\\multicolumn\{(\d+)\}", line)) for line in lines]
        found.append((len(columns), {len(re.findall(r"(?<!\\)&", row)) + 1 + n for row, n in zip(lines, spans)}))
    return found


def test_rows_are_methods_and_each_scan_has_ssim_psnr_and_nmse_as_mean_and_standard_deviation_over_subjects():
    table = tables_of()["table1"]
    assert [label for _, label in table.frame.index] == list(LABELS.values())
    heads = ["SSIM ↑", "PSNR [dB] ↑", "NMSE ↓"]
    assert list(table.frame.columns) == [(scan, head) for scan in SCANS.values() for head in heads]
    results = results_of(study_of()).query("scan == 'r6' and method == 'unet'")
    subjects = results.groupby("subject").psnr.mean()  # over seeds
    assert texts(table)["UNet-T2"][4] == f"{subjects.mean():.2f} ± {subjects.std(ddof=1):.2f}"


def test_best_and_second_best_are_the_highest_but_for_nmse_the_lowest_and_written_so():
    table, decimal = tables_of(9)["table1"], r"\d\.\d\d"
    assert [ranks(table, column) for column in range(9)] == [["", "", "", "second", "best"]] * 9
    assert re.search(rf"\*\*34\.\d\d ± {decimal}\*\*", table.markdown())
    assert re.search(rf" \*33\.\d\d ± {decimal}†\*", table.markdown())
    assert "**Bold**: best of a column; *italic*: second best." in table.markdown()
    assert re.search(rf"\\textbf\{{34\.\d\d \$\\pm\$ {decimal}\}}", table.latex())
    assert re.search(rf"\\underline\{{33\.\d\d \$\\pm\$ {decimal}\$\^\\dagger\$\}}", table.latex())


def test_what_reads_the_same_ranks_the_same_and_equal_columns_have_no_best():
    results = results_of(study_of()).query("method in ('unet', 'xiang', 'manet')").copy()
    manet = results[(results.method == "manet") & (results.condition == AS_TRAINED)]
    results.loc[results.method == "xiang", "psnr"] = manet.psnr.to_numpy() + 1e-6
    table = tables_of(results=results.assign(ssim=0.9))["table1"]
    assert ranks(table, 1) == ["second", "best", "best"] and ranks(table, 0) == ["", "", ""]


def test_significant_methods_are_marked_and_the_reference_is_not():
    cells, note = texts(tables_of(9)["table1"]), note_of(tables_of(9)["table1"], "†")
    assert {label for label, row in cells.items() if "†" not in "".join(row)} == {"MANet"}
    assert {cell[-1] for label, row in cells.items() if label != "MANet" for cell in row} == {"†"}
    assert "differs from MANet" in note and "9 pairs can give is 0.004, 0.016 after correction for 4" in note


@pytest.mark.parametrize(("subjects", "p", "corrected"), [(3, "0.250", "1.000"), (6, "0.031", "0.125")])
def test_too_few_subjects_are_told_to_show_nothing(subjects, p, corrected):
    table = tables_of(subjects)["table1"]
    assert "†" not in "".join(cell for row in texts(table).values() for cell in row)
    expected = (
        f"{subjects} pairs can give is {p}, {corrected} after correction for 4 comparisons, so that no difference"
    )
    assert expected in note_of(table, "†")


def test_notes_tell_subjects_seeds_acceleration_metric_and_spread_between_seeds():
    datasets = {"ixi": {"label": "IXI", "folds": 3}}
    notes = " ".join(tables_of(datasets=datasets, settings={"validate::profile": "slice"})["table1"].notes)
    assert (
        "6 subjects of IXI (3-fold cross-validation, each subject tested once), after averaging over 2 seeds" in notes
    )
    assert "1D uniform 6×: 5.98; 1D random 6×: 5.98; 2D spiral 9×: 8.97" in notes
    assert f"profile slice: {PROFILES['slice']}" in notes
    assert f"{np.std([0, 0.2], ddof=1):.2g} dB (PSNR)" in notes
    assert "Not complete" not in notes and "no result" not in notes


def test_unfinished_study_shows_dashes_and_says_what_is_missing():
    results = results_of(study_of())
    drop = (results.method == "xiang") & (results.scan == "r6")
    drop |= (results.method == "unet") & (results.scan == "u6") & (results.seed == 1) & (results.subject == "s2")
    drop |= (results.method == "dudornet") & (results.scan == "u6") & results.subject.isin(["s1", "s2"])
    table = tables_of(results=results[~drop])["table1"]
    assert texts(table)["Xiang et al."][3:6] == ["–"] * 3 and "–" not in texts(table)["Xiang et al."][0]
    gaps = note_of(table, "Not complete")
    assert "1D uniform 6×, UNet-T2: 1 of 2 seeds" in gaps and "1D uniform 6×, DuDoRNet: 4 of 6 subjects" in gaps
    assert "– no result." in table.notes and "4 to 6 subjects" in table.notes[0]


def test_methods_scans_and_tables_without_results_are_left_out():
    tables = {"table1": {"title": "All", "methods": list(LABELS)}, "none": {"title": "None", "methods": ["xiang"]}}
    results = results_of(study_of()).query("method in ('unet', 'manet') and scan != 's9'")
    found = tables_of(results=results, tables=tables)
    assert list(found) == NAMES and tables_of(results=results.iloc[:0], tables=tables) == {}
    assert list(texts(found["table1"])) == ["UNet-T2", "MANet"] and found["table1"].frame.shape == (2, 6)


def test_values_that_are_not_finite_show_and_are_never_best():
    results = results_of(study_of())
    results.loc[(results.method == "manet") & (results.subject == "s0"), "psnr"] = math.inf
    tables = tables_of(results=results)
    assert texts(tables["table1"])["MANet"][1] == "not finite"
    assert ranks(tables["table1"], 1) == ["", "", "second", "best", ""]
    assert all(note_of(tables[name], "Not finite") for name in NAMES[:3])
    assert "not finite" in tables["comparisons"].markdown() and "nan" not in tables["table1"].latex()


def test_one_subject_has_neither_spread_nor_interval():
    tables = tables_of(1)
    alone = 34.0 + 0.1 + 0.1 * np.sin(34.0)  # subject s0, between the two seeds
    assert texts(tables["table1"])["MANet"][1] == f"{alone:.2f}"
    assert texts(tables["conditions"])["difference [95 %]"][1] == "+1.00"
    assert "1 subject of IXI" in tables["table1"].notes[0]


def test_comparisons_show_difference_interval_and_both_p_values():
    table = tables_of(9)["comparisons"]
    assert list(table.frame.index) == [(scan, name) for scan in SCANS.values() for name in list(LABELS.values())[:-1]]
    assert [label for _, label in table.frame.columns] == ["difference [95 %]", "p", "p (Holm)"] * 3
    difference, p, p_holm = map(str, table.frame.iloc[0, 3:6])
    assert re.fullmatch(r"−8\.\d\d \[−8\.\d\d, −\d\.\d\d\]†", difference)
    assert (p, p_holm) == ("0.004", "0.016")


def test_methods_of_a_sweep_do_not_enlarge_the_families():
    sweep = {"label": "α", "method": "manet", "setting": "alpha", "values": [0.4, 1]}
    with_sweep = tables_of(9, sweeps={"alpha": sweep})["comparisons"]
    pd.testing.assert_frame_equal(with_sweep.values, tables_of(9)["comparisons"].values)


def test_conditions_follow_their_method_as_trained_each_with_its_difference_in_every_format():
    conditions = {name: {"methods": ["manet"]} for name in ("noiseless", "shifted")}
    table = tables_of(8, conditions=conditions)["conditions"]
    rows = ["as trained", "noiseless", "difference [95 %]", "shifted", "difference [95 %]"]
    assert list(table.frame.index) == [("MANet", row) for row in rows]
    means = [float(texts(table)[row][1].split(" ")[0]) for row in rows[:2]]
    assert means[1] - means[0] == pytest.approx(1.035, abs=0.011)
    assert re.fullmatch(r"\+1\.0[34] \[\+1\.02, \+1\.05\]†", texts(table)[rows[2]][1])
    assert all(text.count("shifted") >= 3 for text in (table.markdown(), table.latex(), table.html()))
    results = results_of(study_of())
    results.loc[(results.condition == "noiseless") & (results.scan == "r6"), "sampled_acceleration"] = 3.99
    assert "1D random 6×, no noise: 3.99." in note_of(tables_of(results=results)["conditions"], "Sampled")
    assert not note_of(table, "Sampled")  # but where a condition samples otherwise


def test_costs_count_every_run_once_in_units_of_their_size():
    results = results_of(study_of())
    results.loc[(results.method == "unet") & (results.seed == 1), "training_seconds"] = 5500.0
    table = tables_of(results=results)["costs"]
    assert [label for _, label in table.frame.columns] == ["Parameters", "Training [min]", "Inference [ms/slice]"]
    minutes = [90] * 3 + [5500 / 60] * 3
    expected = ["7,283,670", f"{np.mean(minutes):.1f} ± {np.std(minutes, ddof=1):.1f}", "20.0 ± 0.0"]
    assert texts(table)["UNet-T2"] == expected and texts(table)["Zero-filled"][:2] == ["0", "0"]


def test_several_datasets_have_tables_of_their_own_and_one_of_costs():
    tables = tables_of(datasets={"ixi": {"label": "IXI"}, "ms": {"label": "MS lesions"}})
    assert list(tables) == [f"{name}-{dataset}" for dataset in ("ixi", "ms") for name in NAMES[:3]] + ["costs"]
    assert tables["table1-ms"].title == "Undersampling patterns: MS lesions"
    assert [group for group, _ in tables["costs"].frame.columns] == ["IXI"] * 3 + ["MS lesions"] * 3


def test_csv_holds_plain_numbers_that_equal_independent_ones():
    frame = pd.read_csv(io.StringIO(tables_of()["table1"].csv()))
    assert len(frame) == 15 and frame.label.tolist() == list(LABELS.values()) * 3
    results = results_of(study_of()).query("condition == 'as_trained' and scan == 'u6'")
    subjects = results.groupby(["method", "subject"]).nmse.mean()
    row = frame.query("scan == 'u6' and method == 'dudornet'").iloc[0]
    assert row.nmse_mean == pytest.approx(subjects["dudornet"].mean()) and row.n == 6 and row.seeds == 2
    assert row.nmse_std == pytest.approx(subjects["dudornet"].std())
    assert row.nmse_difference == pytest.approx((subjects["dudornet"] - subjects["manet"]).mean())
    assert row.nmse_ci_low < row.nmse_mean < row.nmse_ci_high and row.nmse_p_holm == 0.125 and row.against == "manet"
    assert frame.query("method == 'manet'").nmse_p_holm.isna().all()


@pytest.mark.parametrize("name", NAMES)
def test_each_format_is_well_formed(name):
    table = tables_of(9)[name]
    blocks = cells_of(table.markdown())
    assert all(len({len(row) for row in block}) == 1 and len(block[0]) <= 8 for block in blocks)
    assert all(re.fullmatch(r":?-+:?", cell) for block in blocks for cell in block[1])
    assert len(re.findall(r"(?<=\n\n)\| ", table.markdown())) == len(blocks)  # a blank line around each
    tags = Page(table.html())
    expected = [cell.rank for row in table.frame.to_numpy() for cell in row if cell.rank]
    assert sorted(tags.attributes("span", "class")) == sorted(expected)
    assert all(str(cell) in tags.cells for row in table.frame.to_numpy() for cell in row)


@pytest.mark.parametrize("name", NAMES)
def test_latex_is_balanced_and_has_as_many_columns_in_every_row(name):
    latex = tables_of(9)[name].latex()
    for environment in set(re.findall(r"\\begin\{(\S+?)\}", latex)):
        assert latex.count(rf"\begin{{{environment}}}") == latex.count(rf"\end{{{environment}}}")
    assert len(re.findall(r"(?<!\\)\{", latex)) == len(re.findall(r"(?<!\\)\}", latex)) and latex.isascii()
    assert tabulars(latex) and all(rows == {columns} for columns, rows in tabulars(latex))
    assert latex.count("(continued)") == latex.count(r"\begin{table*}") - 1 == len(tabulars(latex)) - 1
    rules = [(int(first), int(last)) for first, last in re.findall(r"\\cmidrule\(lr\)\{(\d+)-(\d+)\}", latex)]
    assert all(2 <= first <= last <= tabulars(latex)[0][0] for first, last in rules)
    maths = re.findall(r"(?<!\\)\$.*?(?<!\\)\$", latex)
    assert len(re.findall(r"(?<!\\)\$", latex)) == 2 * len(maths) and all(map(MathTextParser("path").parse, set(maths)))


def test_hostile_labels_stay_text_in_every_format():
    methods = {"unet": {"label": HOSTILE}, "manet": {"label": "MANet"}}
    tables = {"t_1": {"title": HOSTILE, "methods": ["unet", "manet"]}}
    table = tables_of(methods=methods, scans={"u6": {"label": "a|b & 5 %"}, "r6": {}}, tables=tables)["t_1"]
    for block in cells_of(table.markdown()):
        assert {len(row) for row in block} == {len(block[0])}
        assert re.sub(r"\\([^A-Za-z0-9])", r"\1", block[2][0]) == HOSTILE
    assert re.search(r"\\<b>?", table.markdown()) and r"\$x\$" in table.markdown() and r"\](u)" in table.markdown()
    latex = table.latex()
    assert all(rows == {7} for _, rows in tabulars(latex)) and r"\label{tab:t-1}" in latex
    assert r"50 \% of A\&B\_c \#1 \$x\$ \{y\} \textbackslash{}z" in latex
    tags = Page(table.html())
    assert HOSTILE in tags.cells and "a|b & 5 %" in tags.cells


def test_files_are_written_and_replaced_equal_in_whatever_order_the_results_come(tmp_path):
    results = results_of(study_of())
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "costs.md").write_text("old")
    for folder, rows in (("a", results), ("b", results.sample(frac=1, random_state=1))):
        for table in tables_of(results=rows).values():
            table.write(tmp_path / folder)
    a, b = ({path.name: path.read_text(encoding="utf-8") for path in (tmp_path / name).iterdir()} for name in "ab")
    assert set(a) == {f"{name}{suffix}" for name in NAMES for suffix in (".md", ".tex", ".csv")}
    assert a == b and a["costs.md"].startswith("### Costs")

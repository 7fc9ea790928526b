"""A study's tables: their layout, that what is shown is what was measured, and that each format is well formed."""

from __future__ import annotations

import io
import math
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.mathtext import MathTextParser

from bundle.errors import BundleError
from bundle.evaluation.metrics import PROFILES
from bundle.study.plan import AS_TRAINED, Condition, Dataset, Method, Scan, Study, Sweep, Table
from bundle.study.tables import RenderedTable, study_tables, write_tables

SCANS = {"u6": "1D uniform 6×", "r6": "1D random 6×", "s9": "2D spiral 9×"}
LEVELS = {"zero_filled": 26.0, "unet": 30.0, "xiang": 32.0, "dudornet": 33.0, "manet": 34.0}
LABELS = {
    "zero_filled": "Zero-filled",
    "unet": "UNet-T2",
    "xiang": "Xiang et al.",
    "dudornet": "DuDoRNet",
    "manet": "MANet",
}
HOSTILE = r"50 % of A&B_c #1 $x$ {y} \z ~ ^ <b>|[l](u) *e*"


def a_study(**changes) -> Study:
    values = {
        "path": Path("study.yaml"),
        "title": "A study",
        "description": "",
        "seeds": (0, 1),
        "reference": "manet",
        "datasets": {"ixi": Dataset("ixi", "IXI")},
        "scans": {name: Scan(name, label) for name, label in SCANS.items()},
        "methods": {name: Method(name, LABELS[name], seeds=(0,) if name == "zero_filled" else None) for name in LEVELS},
        "conditions": {"noiseless": Condition("noiseless", "no noise", methods=("manet",))},
        "tables": {"table1": Table("table1", "Undersampling patterns", tuple(LEVELS))},
    }
    return Study(**values | changes)


def a_row(dataset, scan, method, condition, seed, subject, psnr) -> dict:
    trained = method != "zero_filled"
    return {
        "dataset": dataset,
        "scan": scan,
        "method": method,
        "condition": condition,
        "seed": seed,
        "fold": math.nan,
        "subject": subject,
        "slices": 40,
        "sampled_acceleration": 8.97 if scan == "s9" else 5.98,
        "nmse": 10 ** (-psnr / 20),
        "psnr": psnr,
        "ssim": psnr / 50,
        "parameters": 7_283_670 if trained else 0,
        "seconds_per_slice": 0.02,
        "training_seconds": 5400.0 if trained else 0.0,
        "folder": f"runs/{dataset}/{scan}/{method}/seed{seed}",
    }


def some_results(subjects=6, datasets=("ixi",), methods=tuple(LEVELS)) -> pd.DataFrame:
    rows = []
    for dataset in datasets:
        for s, scan in enumerate(SCANS):
            for method in methods:
                for seed in (0, 1) if method != "zero_filled" else (0,):
                    for i in range(subjects):
                        psnr = LEVELS[method] + s + 0.2 * seed + np.sin(i) + 0.1 * np.sin(7 * i + LEVELS[method])
                        rows.append(a_row(dataset, scan, method, AS_TRAINED, seed, f"s{i}", psnr))
                        if method == "manet":
                            rows.append(a_row(dataset, scan, method, "noiseless", seed, f"s{i}", psnr + 1 + 0.01 * i))
    return pd.DataFrame(rows)


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch):
    """Intervals are tested with the statistics; here they only take time."""
    monkeypatch.setattr("bundle.study.statistics.RESAMPLES", 299)


def tables_of(study=None, results=None) -> dict[str, RenderedTable]:
    results = some_results() if results is None else results
    return {table.name: table for table in study_tables(study or a_study(), results)}


def texts(table: RenderedTable) -> dict[str, list[str]]:
    """Row label -> its cells as text, where no label comes twice."""
    return {label: [str(cell) for cell in row] for (_, label), row in zip(table.frame.index, table.frame.to_numpy())}


def cells_of(markdown: str) -> list[list[list[str]]]:
    """The tables of a Markdown text, split as GitHub does: at pipes that are not escaped."""
    blocks = re.findall(r"(?:^\|.*\|\n?)+", markdown, re.M)
    return [
        [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in block.splitlines()]
        for block in blocks
    ]


def latex_rows(latex: str) -> list[list[str]]:
    """For every tabular, its rows' number of columns, with a multicolumn as many as it spans."""
    tabulars = re.findall(r"\\begin\{tabular\}\{.*\}\n(.*?)\\end\{tabular\}", latex, re.S)
    rows = []
    for body in tabulars:
        lines = [line for line in body.splitlines() if line.endswith(r"\\")]
        spans = [sum(int(n) - 1 for n in re.findall(r"\\multicolumn\{(\d+)\}", line)) for line in lines]
        rows.append([len(re.findall(r"(?<!\\)&", line)) + 1 + span for line, span in zip(lines, spans)])
    return rows


class Tags(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.open, self.cells, self.classes = [], [], []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)
        if tag in ("td", "th"):
            self.cells.append("")
            self.classes.append(dict(attrs).get("class"))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] in ("td", "th", "strong"):
            self.cells[-1] += data


def test_rows_are_methods_and_each_scan_has_ssim_psnr_and_nmse():
    table = tables_of()["table1"]
    assert [label for _, label in table.frame.index] == list(LABELS.values())
    heads = ["SSIM ↑", "PSNR [dB] ↑", "NMSE ↓"]
    assert list(table.frame.columns) == [(scan, head) for scan in SCANS.values() for head in heads]


def test_cell_is_mean_and_standard_deviation_over_subjects_of_means_over_seeds():
    results = some_results()
    chosen = results.query("scan == 'r6' and method == 'unet'").pivot(index="subject", columns="seed", values="psnr")
    subjects = chosen.to_numpy().mean(axis=1)
    cells = texts(tables_of()["table1"])["UNet-T2"]
    assert cells[4] == f"{subjects.mean():.2f} ± {subjects.std(ddof=1):.2f}"


def test_best_and_second_best_are_the_highest_but_for_nmse_the_lowest():
    ranks = [[cell.rank for cell in row] for row in tables_of()["table1"].frame.to_numpy()]
    assert ranks == [[""] * 9] * 3 + [["second"] * 9, ["best"] * 9]
    markdown = tables_of()["table1"].markdown()
    assert re.search(r"\*\*34\.\d\d ± \d\.\d\d\*\*", markdown) and re.search(r" \*33\.\d\d ± \d\.\d\d\*", markdown)
    assert "**Bold**: best of a column; *italic*: second best." in markdown


def test_what_reads_the_same_ranks_the_same_and_equal_columns_have_no_best():
    results = some_results(methods=("unet", "xiang", "manet"))
    manet = results[(results.method == "manet") & (results.condition == AS_TRAINED)]
    results.loc[results.method == "xiang", "psnr"] = manet.psnr.to_numpy() + 1e-6
    results["ssim"] = 0.9
    frame = tables_of(results=results)["table1"].frame
    assert [cell.rank for cell in frame.iloc[:, 1]] == ["second", "best", "best"]
    assert [cell.rank for cell in frame.iloc[:, 0]] == ["", "", ""]


def test_significant_methods_are_marked_and_the_reference_is_not():
    table = tables_of(results=some_results(subjects=9))["table1"]
    assert all(cell.endswith("†") for label, row in texts(table).items() if label != "MANet" for cell in row)
    assert not any("†" in cell for cell in texts(table)["MANet"])
    note = next(note for note in table.notes if note.startswith("†"))
    assert "differs from MANet" in note and "9 pairs can give is 0.004, 0.016 after correction for 4" in note


def test_too_few_subjects_are_told_to_show_nothing():
    for subjects, p, corrected in ((3, "0.250", "1.000"), (6, "0.031", "0.125")):
        table = tables_of(results=some_results(subjects))["table1"]
        assert not any("†" in cell for row in texts(table).values() for cell in row)
        note = next(note for note in table.notes if note.startswith("†"))
        assert f"{subjects} pairs can give is {p}, {corrected} after correction" in note
        assert "no difference can be significant" in note


def test_notes_tell_subjects_seeds_acceleration_metric_and_spread_between_seeds():
    study = a_study(datasets={"ixi": Dataset("ixi", "IXI", folds=3)}, settings={"validate::profile": "slice"})
    notes = " ".join(tables_of(study)["table1"].notes)
    assert "6 subjects of IXI (3-fold cross-validation, each subject tested once)" in notes
    assert "after averaging over 2 seeds" in notes
    assert "1D uniform 6×: 5.98; 1D random 6×: 5.98; 2D spiral 9×: 8.97" in notes
    assert f"profile slice: {PROFILES['slice']}" in notes
    assert f"{np.std([0, 0.2], ddof=1):.2f} dB (PSNR)" in notes
    assert "Not complete" not in notes and "no result" not in notes


def test_unfinished_study_shows_dashes_and_says_what_is_missing():
    results = some_results()
    drop = (results.method == "xiang") & (results.scan == "r6")
    drop |= (results.method == "unet") & (results.scan == "u6") & (results.seed == 1) & (results.subject == "s2")
    drop |= (results.method == "dudornet") & (results.scan == "u6") & results.subject.isin(["s1", "s2"])
    table = tables_of(results=results[~drop])["table1"]
    assert texts(table)["Xiang et al."][3:6] == ["–"] * 3 and "–" not in texts(table)["Xiang et al."][0]
    notes = " ".join(table.notes)
    assert "UNet-T2, 1D uniform 6×: 1 of 2 seeds" in notes and "DuDoRNet, 1D uniform 6×: 4 of 6 subjects" in notes
    assert "– no result." in notes and "4 to 6 subjects" in notes


def test_methods_scans_and_tables_without_results_are_left_out():
    study = a_study(tables={"table1": Table("table1", "All", tuple(LEVELS)), "none": Table("none", "None", ("xiang",))})
    results = some_results(methods=("unet", "manet"))
    tables = tables_of(study, results[results.scan != "s9"])
    assert list(tables) == ["table1", "comparisons", "conditions", "costs"]
    assert list(texts(tables["table1"])) == ["UNet-T2", "MANet"] and tables["table1"].frame.shape == (2, 6)
    assert study_tables(study, results.iloc[:0]) == []


def test_values_that_are_not_finite_show_and_are_never_best():
    results = some_results()
    results.loc[(results.method == "manet") & (results.subject == "s0"), "psnr"] = math.inf
    tables = tables_of(results=results)
    assert texts(tables["table1"])["MANet"][1] == "not finite"
    assert [cell.rank for cell in tables["table1"].frame.iloc[:, 1]] == ["", "", "second", "best", ""]
    assert any(note.startswith("Not finite") for note in tables["table1"].notes)
    assert "not finite" in tables["comparisons"].markdown() and "nan" not in tables["table1"].latex()


def test_one_subject_has_neither_spread_nor_interval():
    tables = tables_of(results=some_results(1))
    alone = 34.0 + 0.1 + 0.1 * np.sin(34.0)  # subject s0, between the two seeds
    assert texts(tables["table1"])["MANet"][1] == f"{alone:.2f}"
    assert texts(tables["conditions"])["difference [95 %]"][1] == "+1.00"
    assert "1 subject of IXI" in tables["table1"].notes[0]


def test_comparisons_show_difference_interval_and_both_p_values():
    table = tables_of(results=some_results(9))["comparisons"]
    assert [label for _, label in table.frame.index] == list(LABELS.values())[:-1] * 3
    assert [label for _, label in table.frame.columns] == ["difference [95 %]", "p", "p (Holm)"] * 3
    difference, p, p_holm = map(str, table.frame.iloc[0, 3:6])
    assert re.fullmatch(r"−8\.\d\d \[−8\.\d\d, −\d\.\d\d\]†", difference)
    assert (p, p_holm) == ("0.004", "0.016")


def test_methods_of_a_sweep_do_not_enlarge_the_families():
    methods = a_study().methods | {"manet_alpha_1": Method("manet_alpha_1", "alpha 1")}
    study = a_study(methods=methods, sweeps={"alpha": Sweep("alpha", "α", "manet", {0.4: "manet", 1: "manet_alpha_1"})})
    swept = some_results(9, methods=("unet",)).assign(method="manet_alpha_1")
    with_sweep = tables_of(study, pd.concat([some_results(9), swept]))["comparisons"]
    pd.testing.assert_frame_equal(with_sweep.values, tables_of(results=some_results(9))["comparisons"].values)


def test_conditions_follow_their_method_as_trained_with_the_difference():
    table = tables_of(results=some_results(8))["conditions"]
    assert list(table.frame.index) == [("MANet", "as trained"), ("MANet", "no noise"), ("MANet", "difference [95 %]")]
    rows = texts(table)
    means = [float(rows[label][1].split(" ")[0]) for label in ("as trained", "no noise")]
    assert means[1] - means[0] == pytest.approx(1.035, abs=0.011)
    assert re.fullmatch(r"\+1\.0[34] \[\+1\.02, \+1\.05\]†", rows["difference [95 %]"][1])


def test_condition_that_samples_otherwise_says_how():
    results = some_results()
    assert not any("Sampled" in note for note in tables_of(results=results)["conditions"].notes)
    results.loc[(results.condition == "noiseless") & (results.scan == "r6"), "sampled_acceleration"] = 3.99
    notes = tables_of(results=results)["conditions"].notes
    assert any("1D random 6×, no noise: 3.99." in note for note in notes)


def test_costs_count_every_run_once_in_units_of_their_size():
    results = some_results()
    slow = (results.method == "unet") & (results.seed == 1)
    results.loc[slow, "training_seconds"] = 5500.0
    table = tables_of(results=results)["costs"]
    assert [label for _, label in table.frame.columns] == ["Parameters", "Training [min]", "Inference [ms/slice]"]
    std = np.std([90, 90, 90, 5500 / 60, 5500 / 60, 5500 / 60], ddof=1)
    assert texts(table)["UNet-T2"] == ["7,283,670", f"{(90 + 5500 / 60) / 2:.1f} ± {std:.1f}", "20.0 ± 0.0"]
    assert texts(table)["Zero-filled"][:2] == ["0", "0"]


def test_several_datasets_have_tables_of_their_own_and_one_of_costs():
    study = a_study(datasets={"ixi": Dataset("ixi", "IXI"), "ms": Dataset("ms", "MS lesions")})
    tables = tables_of(study, some_results(datasets=("ixi", "ms")))
    assert list(tables) == [
        "table1-ixi",
        "comparisons-ixi",
        "conditions-ixi",
        "table1-ms",
        "comparisons-ms",
        "conditions-ms",
        "costs",
    ]
    assert tables["table1-ms"].title == "Undersampling patterns: MS lesions"
    assert [group for group, _ in tables["costs"].frame.columns] == ["IXI"] * 3 + ["MS lesions"] * 3


def test_table_named_as_one_that_every_study_has_is_refused():
    with pytest.raises(BundleError, match="'costs'"):
        study_tables(a_study(tables={"costs": Table("costs", "Mine", ("manet",))}), some_results())


def test_csv_holds_plain_numbers_that_equal_independent_ones():
    frame = pd.read_csv(io.StringIO(tables_of()["table1"].csv()))
    assert len(frame) == 15 and frame.label.tolist() == list(LABELS.values()) * 3
    results = some_results().query("condition == 'as_trained' and scan == 'u6'")
    subjects = results.groupby(["method", "subject"]).nmse.mean()
    row = frame.query("scan == 'u6' and method == 'dudornet'").iloc[0]
    assert row.nmse_mean == pytest.approx(subjects["dudornet"].mean()) and row.n == 6 and row.seeds == 2
    assert row.nmse_std == pytest.approx(subjects["dudornet"].std())
    assert row.nmse_difference == pytest.approx((subjects["dudornet"] - subjects["manet"]).mean())
    assert row.nmse_ci_low < row.nmse_mean < row.nmse_ci_high and row.nmse_p_holm == 0.125 and row.against == "manet"
    assert frame.query("method == 'manet'").nmse_p_holm.isna().all()


@pytest.mark.parametrize("name", ["table1", "comparisons", "conditions", "costs"])
def test_markdown_has_as_many_cells_in_every_row_and_blank_lines_around_tables(name):
    markdown = tables_of()[name].markdown()
    blocks = cells_of(markdown)
    for block in blocks:
        assert len({len(row) for row in block}) == 1
        assert all(re.fullmatch(r":?-+:?", cell) for cell in block[1])
    assert len(re.findall(r"(?<=\n\n)\| ", markdown)) == len(blocks)
    assert all(len(block[0]) <= 7 for block in blocks)


@pytest.mark.parametrize("name", ["table1", "comparisons", "conditions", "costs"])
def test_latex_is_balanced_and_has_as_many_columns_in_every_row(name):
    latex = tables_of()[name].latex()
    for environment in set(re.findall(r"\\begin\{(\S+?)\}", latex)):
        assert latex.count(rf"\begin{{{environment}}}") == latex.count(rf"\end{{{environment}}}")
    assert len(re.findall(r"(?<!\\)\{", latex)) == len(re.findall(r"(?<!\\)\}", latex))
    assert len(re.findall(r"(?<!\\)\$", latex)) % 2 == 0
    declared = [int(n) + 1 for n in re.findall(r"\\begin\{tabular\}\{l\*\{(\d+)\}\{r\}\}", latex)]
    rows = latex_rows(latex)
    assert len(rows) == len(declared) > 0
    assert all(set(counts) == {width} for counts, width in zip(rows, declared))
    for rule, last in re.findall(r"\\cmidrule\(lr\)\{(\d+)-(\d+)\}", latex):
        assert 2 <= int(rule) <= int(last) <= max(declared)
    assert latex.isascii()


def test_latex_numbers_are_maths_that_can_be_set():
    latex = tables_of(results=some_results(9))["table1"].latex()
    assert r"\pm" in latex and r"^{\dagger}$" in latex and re.search(r"\$\\mathbf\{34\.\d\d \\pm", latex)
    parser = MathTextParser("path")
    for maths in set(re.findall(r"(?<!\\)\$.*?(?<!\\)\$", latex)):
        parser.parse(maths)
    assert re.search(r"\\underline\{\$33\.\d\d \\pm \d\.\d\d\^\{\\dagger\}\$\}", latex)


def test_long_latex_tables_go_on_in_another_float():
    methods = {f"m{i}": Method(f"m{i}", f"Method {i}") for i in range(30)} | {"manet": Method("manet", "MANet")}
    study = a_study(methods=methods, tables={"table1": Table("table1", "Long", tuple(methods))})
    base = some_results(3, methods=("manet",)).query("condition == 'as_trained'")
    results = pd.concat([base.assign(method=name) for name in methods])
    latex = tables_of(study, results)["table1"].latex()
    assert latex.count(r"\begin{table*}") == 2 and latex.count("(continued)") == 1 and latex.count(r"\label") == 1


def test_hostile_labels_stay_text_in_every_format():
    methods = a_study().methods | {"unet": Method("unet", HOSTILE)}
    scans = a_study().scans | {"u6": Scan("u6", "a|b & 5 %")}
    tables = {"t_1": Table("t_1", HOSTILE, ("unet", "manet"))}
    table = tables_of(a_study(methods=methods, scans=scans, tables=tables))["t_1"]
    for block in cells_of(table.markdown()):
        assert {len(row) for row in block} == {len(block[0])}
        unescaped = re.sub(r"\\([^A-Za-z0-9])", r"\1", block[2][0])
        assert unescaped == HOSTILE
    assert re.search(r"\\<b>?", table.markdown()) and r"\$x\$" in table.markdown() and r"\](u)" in table.markdown()
    latex = table.latex()
    assert all(set(counts) == {7} for counts in latex_rows(latex))
    assert r"50 \% of A\&B\_c \#1 \$x\$ \{y\} \textbackslash{}z" in latex and r"\label{tab:t-1}" in latex
    tags = Tags(table.html())
    assert HOSTILE in tags.cells and "a|b & 5 %" in tags.cells


def test_html_is_well_formed_with_classes_for_best_and_second():
    for table in tables_of(results=some_results(9)).values():
        tags = Tags(table.html())
        ranks = [cell.rank for row in table.frame.to_numpy() for cell in row if cell.rank]
        assert sorted(kind for kind in tags.classes if kind in ("best", "second")) == sorted(ranks)
        assert all(str(cell) in tags.cells for row in table.frame.to_numpy() for cell in row)


def test_files_are_written_and_replaced(tmp_path):
    tables = study_tables(a_study(), some_results())
    (tmp_path / "costs.md").write_text("old")
    write_tables(tables, tmp_path)
    names = {f"{table.name}{suffix}" for table in tables for suffix in (".md", ".tex", ".csv")}
    assert {path.name for path in tmp_path.iterdir()} == names
    assert (tmp_path / "costs.md").read_text(encoding="utf-8") == tables[-1].markdown()


def test_equal_results_give_equal_tables_in_whatever_order_they_come():
    shuffled = some_results().sample(frac=1, random_state=1)
    for first, second in zip(study_tables(a_study(), some_results()), study_tables(a_study(), shuffled), strict=True):
        assert first.markdown() == second.markdown() and first.csv() == second.csv() and first.latex() == second.latex()

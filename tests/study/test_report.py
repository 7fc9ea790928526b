"""The report of a study: one page that stands alone, tells protocol and limits, and escapes what it is told."""

from __future__ import annotations

import base64
import dataclasses
import io
import json
import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from bundle.errors import BundleError
from bundle.evaluation.metrics import PROFILES
from bundle.study.plan import Condition, Dataset, Method, Scan, Study, Sweep, Table
from bundle.study.report import write_report
from bundle.study.tables import study_tables

VOID = {"meta", "img", "br", "hr", "link", "input"}
EVIL = 'A <script>alert(1)</script> & "B" ≤ 山田'


class Page(HTMLParser):
    """What a page holds: elements with their attributes and text; it fails where a tag is not closed in order."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[tuple[str, dict]] = []
        self.text = ""
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list) -> None:
        assert len(attrs) == len(dict(attrs)), f"an attribute stands twice in <{tag}>"
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
        self.text += " " * (tag in ("td", "th", "dt", "dd", "li"))

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("style", "script"):
            self.text += data

    def attributes(self, tag: str, name: str) -> list[str]:
        return [attrs[name] for found, attrs in self.tags if found == tag and name in attrs]

    @property
    def words(self) -> str:
        return re.sub(r"[ \n]+", " ", self.text)  # a narrow space stays what it is


@dataclasses.dataclass
class PlainTable:
    name: str
    title: str
    notes: list[str]

    def html(self) -> str:
        return '<table class="t"><tr><th>MANet</th><td class="best">33.1</td><td class="second">9</td></tr></table>'


def a_study(**changes) -> Study:
    values = {
        "path": Path("nowhere/small.yaml"),
        "title": "A small study",
        "description": "Does T1 help?",
        "datasets": {"ms": Dataset("ms", "MS sessions", folds=2)},
        "scans": {"random6": Scan("random6", "1D random 6×", {"pattern": "random", "acceleration": 6})},
        "methods": {
            "zero_filled": Method("zero_filled", "Zero-filled", ("zero_filled",)),
            "manet": Method("manet", "MANet"),
            "manet_alpha_0.2": Method("manet_alpha_0.2", "MANet, α = 0.2", settings={"alpha": 0.2}),
        },
        "reference": "manet",
        "settings": {"epochs": 8, "batch_size": 2, "noise_level": 0.07},
        "seeds": (0, 1),
        "conditions": {"wrong": Condition("wrong", "another's T1", {"guide": "other"}, ("manet",))},
        "sweeps": {"alpha": Sweep("alpha", "α", "manet", {0.2: "manet_alpha_0.2", 0.4: "manet"})},
        "tables": {"main": Table("main", "Main", ("zero_filled", "manet"))},
    }
    return Study(**values | changes)


def a_run(study: Study, run, **changes) -> dict:
    values = {
        **dataclasses.asdict(run),
        "folder": str(run.folder),
        "status": "done",
        "training_seconds": 754.0,
        "parameters": 114_921,
        "epochs": 8,
        "steps": 480,
        "device": "cpu, 1 thread",
        "started": "2026-11-24T09:00:00",
        "finished": "2026-11-25T10:00:00",
        "versions": {"python": "3.11.2", "torch": "2.13.0"},
        "error": None,
    }
    if run.method == "zero_filled":
        values |= {"training_seconds": 0.0, "parameters": 0, "epochs": None, "steps": None}
    return values | changes


def all_runs(study: Study) -> list[dict]:
    return [a_run(study, run) for run in study.runs()]


def some_results(study: Study, subjects: int = 4) -> pd.DataFrame:
    """Subject p<i> is tested in fold i modulo folds, as a cross-validation deals them."""
    rows = []
    for run in study.runs():
        for index in range(subjects):
            if run.fold is None or index % study.datasets[run.dataset].folds == run.fold:
                for condition in study.conditions_of(run):
                    rows.append(
                        {
                            "dataset": run.dataset,
                            "scan": run.scan,
                            "method": run.method,
                            "condition": condition,
                            "seed": run.seed,
                            "fold": run.fold,
                            "subject": f"p{index}",
                            "slices": 10 + index,
                            "sampled_acceleration": 5.9 + 0.1 * index,
                            "nmse": 0.02,
                            "psnr": 30.0,
                            "ssim": 0.9,
                            "parameters": 114_921,
                            "seconds_per_slice": 0.05,
                            "training_seconds": 754.0,
                            "folder": str(run.folder),
                        }
                    )
    return pd.DataFrame(rows)


def a_picture(path: Path, width: int = 60, noise: bool = False) -> Path:
    shape = (width * 2 // 3, width, 3)
    pixels = np.random.default_rng(0).integers(0, 256, shape) if noise else np.zeros(shape)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels.astype(np.uint8)).save(path)
    return path


def report(folder: Path, study: Study | None = None, results=None, tables=(), figures=None, runs=None) -> Page:
    study = study or a_study()
    results = some_results(study) if results is None else results
    path = write_report(study, results, tables, figures or {}, folder, all_runs(study) if runs is None else runs)
    assert path == folder / "report.html"
    return Page(path.read_text(encoding="utf-8"))


def test_the_page_stands_alone_and_its_links_lead_somewhere(tmp_path):
    figures = {"comparison": [a_picture(tmp_path / "figures/ms-random6-p1.png")]}
    page = report(tmp_path, tables=[PlainTable("main", "Main", [])], figures=figures)
    names = page.attributes("section", "id") + [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    links = page.attributes("a", "href")
    assert len(links) > 10 and {link[1:] for link in links} <= set(names) and all(link[0] == "#" for link in links)
    assert Counter(names).most_common(1)[0][1] == 1
    assert all(source.startswith("data:image/") for source in page.attributes("img", "src"))
    assert not {"script", "link", "iframe", "object"} & {tag for tag, _ in page.tags}
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "http" not in html and "url(" not in html and "@import" not in html
    assert len(html) < 60_000


def test_every_table_and_figure_is_there_in_order_with_notes_and_captions(tmp_path):
    tables = [PlainTable("one", "First", ["note one"]), PlainTable("two", "Second", ["note two"])]
    figures = {
        "comparison": [
            a_picture(tmp_path / f"figures/comparison-ms-random6-p{index}.png", 150 + 3 * index) for index in range(3)
        ],
        "sweep": [a_picture(tmp_path / "figures/sweep-alpha-ms.png", 300)],
        "quality": [],
    }
    page = report(tmp_path, tables=tables, figures=figures)
    assert [attrs.get("class") for tag, attrs in page.tags if tag == "table"].count("t") == 2
    assert page.text.index("First") < page.text.index("note one") < page.text.index("note two")
    assert page.attributes("img", "width") == ["96", "98", "100", "192"]  # inches of 150 pixels, of 96 on the page
    assert page.attributes("img", "alt")[0] == "Reconstructions: MS sessions · 1D random 6× · p0"
    assert page.attributes("img", "alt")[3] == "Sweeps: α · MS sessions"
    assert "(figures/comparison-ms-random6-p1.png)" in page.text
    assert "Quality and cost" not in page.text


def test_the_studys_own_tables_fit_into_the_page(tmp_path):
    study = a_study(
        methods={"manet": Method("manet", EVIL), "t2": Method("t2", "T2 <only>")},
        sweeps={},
        tables={"main": Table("main", "Main", ("t2", "manet"))},
    )
    tables = study_tables(study, some_results(study))
    page = report(tmp_path, study, tables=tables)
    assert "script" not in {tag for tag, _ in page.tags}
    assert all(table.title in page.text and note in page.text for table in tables for note in table.notes)
    assert {f"#table-{table.name}" for table in tables} <= set(page.attributes("a", "href"))


def test_small_figures_are_embedded_byte_by_byte(tmp_path):
    path = a_picture(tmp_path / "x.png")
    (uri,) = report(tmp_path, figures={"quality": [path]}).attributes("img", "src")
    assert base64.b64decode(uri.removeprefix("data:image/png;base64,"), validate=True) == path.read_bytes()


def a_large_picture(path: Path) -> np.ndarray:
    """Smooth colours and a little noise, which PNG cannot make small and JPEG can."""
    rows, columns = np.mgrid[:1000, :1500] / 1500
    smooth = np.stack([255 * rows, 255 * columns, 128 + 100 * np.sin(9 * columns)], axis=-1)
    pixels = (smooth + np.random.default_rng(0).normal(0, 6, smooth.shape)).clip(0, 255).astype(np.uint8)
    Image.fromarray(pixels).save(path)
    assert path.stat().st_size > 2_500_000
    return pixels


def test_a_large_figure_becomes_a_jpeg_below_the_limit_that_looks_the_same(tmp_path):
    pixels = a_large_picture(tmp_path / "x.png")
    page = report(tmp_path, figures={"quality": [tmp_path / "x.png"]})
    data = base64.b64decode(page.attributes("img", "src")[0].removeprefix("data:image/jpeg;base64,"), validate=True)
    shown = Image.open(io.BytesIO(data))
    assert len(data) <= 1_500_000
    assert page.attributes("img", "width") == ["960"]
    small, expected = (image.resize((150, 100), Image.Resampling.BOX) for image in (shown, Image.fromarray(pixels)))
    assert np.abs(np.asarray(small, float) - np.asarray(expected, float)).mean() < 1


def test_many_figures_share_what_fits_into_a_mail(tmp_path):
    a_large_picture(tmp_path / "x.png")
    page = report(tmp_path, figures={"quality": [tmp_path / "x.png"] * 25})
    assert len(page.attributes("img", "src")) == 25
    assert 5_000_000 < (tmp_path / "report.html").stat().st_size < 21_000_000


def test_a_figure_that_cannot_be_read_is_named(tmp_path):
    (tmp_path / "x.png").write_bytes(b"no picture")
    with pytest.raises(BundleError, match="x.png cannot be read"):
        report(tmp_path, figures={"quality": [tmp_path / "x.png"]})
    assert not list(tmp_path.glob("*.html")) and not list(tmp_path.glob(".report*"))


def test_what_the_study_says_is_escaped_everywhere(tmp_path):
    evil_file = tmp_path / "<evil>.yaml"
    evil_file.write_text(f"title: '{EVIL}'\n", encoding="utf-8")
    study = a_study(
        path=evil_file,
        title=EVIL,
        description=EVIL,
        settings={EVIL: EVIL},
        datasets={"ms": Dataset("ms", EVIL, folds=2, settings={EVIL: 1})},
        scans={"random6": Scan("random6", EVIL)},
        methods={"manet": Method("manet", EVIL, settings={"alpha": EVIL})},
        conditions={"wrong": Condition("wrong", EVIL, {"guide": EVIL})},
        sweeps={},
        tables={},
    )
    results = some_results(study).assign(subject=lambda rows: rows["subject"] + EVIL)
    results.loc[0, "psnr"] = np.nan
    runs = all_runs(study)
    runs[0] |= {"status": "failed", "error": EVIL, "device": EVIL, "versions": {EVIL: EVIL}, "folder": EVIL}
    figures = {EVIL: [a_picture(tmp_path / "<b>x.png")]}
    page = report(tmp_path, study, results, [PlainTable('"<b>', EVIL, [EVIL])], figures, runs)
    assert not {"script", "b", "evil"} & {tag for tag, _ in page.tags}
    assert page.text.count(EVIL) > 20
    assert page.attributes("title", "id") == [] and EVIL in page.text[:400]


def test_the_protocol_tells_split_masks_metrics_budget_seeds_weights_and_machine(tmp_path):
    words = report(tmp_path).words
    assert "2-fold cross-validation by subject" in words
    assert "Fold 0, tested 2 subjects: p0, p2 Fold 1, tested 2 subjects: p1, p3" in words
    assert "4 subjects, 46 slices" in words  # 10 + 11 + 12 + 13, though every subject has several rows
    assert "6.05× (5.90 to 6.20)" in words
    assert f"fastmri_volume: {PROFILES['fastmri_volume']}." in words
    assert "MANet train.yaml 114\u202f921 8 480 2 0.001 12.6 min 50 ms 4 of 4" in words
    assert "Zero-filled zero_filled 0 – – – – – 50 ms 2 of 2" in words  # the default budget is not its
    assert "last: those of the last epoch" in words and "Seeds 0, 1" in words
    assert "random 6× 6.05× (5.90 to 6.20) by acceleration 0.07" in words
    assert "cpu, 1 thread" in words and "python 3.11.2, torch 2.13.0" in words
    assert "compared with MANet, paired by subject" in words
    assert "another's T1 guide = other MANet" in words


def test_methods_of_a_sweep_stand_apart(tmp_path):
    page = report(tmp_path)
    assert "subjects 4 scan 1 methods 2 seeds 2 runs finished 10 of 10" in page.words
    assert page.text.index("1 more that only sweeps train") < page.text.index("MANet, α = 0.2")


def test_profile_and_overlays_of_a_study_are_followed(tmp_path):
    methods = {"manet": Method("manet", "DuDoRNet", ("dudornet",), {"epochs": 3})}
    study = a_study(settings={"validate::profile": "slice"}, methods=methods, sweeps={}, tables={}, conditions={})
    words = report(tmp_path, study, runs=[]).words
    assert PROFILES["slice"] in words and PROFILES["fastmri_volume"] not in words
    assert "DuDoRNet dudornet; epochs = 3 – 3 – 8 0.0005" in words  # dudornet.yaml's learning rate


def test_the_lists_of_an_own_split_are_named_without_the_images(tmp_path):
    study = a_study(datasets={"ms": Dataset("ms", "MS", dataset_dir=str(tmp_path / "gone"))})
    assert "Test 4 subjects: p0, p1, p2, p3" in report(tmp_path, study).words


def test_the_lists_of_a_datalist_are_counted_by_subject(tmp_path):
    items = [{"subject": f"s{n // 2}", "session": str(n % 2), "t1": f"{n}a.nii", "t2": f"{n}b.nii"} for n in range(8)]
    for item in items:
        (tmp_path / item["t1"]).touch()
        (tmp_path / item["t2"]).touch()
    lists = {"training": items[:4], "validation": items[4:6], "test": items[6:]}
    (tmp_path / "datalist.json").write_text(json.dumps(lists), encoding="utf-8")
    own = a_study(datasets={"ms": Dataset("ms", "MS", dataset_dir=str(tmp_path))})
    words = report(tmp_path, own).words
    assert "Training 2 subjects: s0, s1 Validation 1 subject: s2 Test 4 subjects" in words
    dealt = a_study(datasets={"ms": Dataset("ms", "MS", dataset_dir=str(tmp_path), folds=2)})
    assert "after training on the other 2" in report(tmp_path, dealt).words


def test_failed_and_missing_runs_are_shown_with_their_error(tmp_path):
    study = a_study()
    runs = all_runs(study)
    error = "Traceback (most recent call last):\n  File\nRuntimeError: out of <memory>"
    runs[1] |= {"status": "failed", "error": error}
    bare = ("dataset", "fold", "scan", "method", "seed", "key", "folder")
    runs[2] = {key: runs[2][key] for key in bare} | {"status": "missing"}
    page = report(tmp_path, study, runs=runs)
    assert f"2 of {len(runs)} runs did not finish" in page.words
    assert "MS sessions, 1D random 6×, MANet, seed 0, fold 0: RuntimeError: out of <memory>" in page.words
    assert "whole message" in page.text
    assert "missing MS sessions, 1D random 6×, MANet, α = 0.2, seed 0, fold 0" in page.words
    assert "#warnings" in page.attributes("a", "href")
    assert "did not finish" not in report(tmp_path / "whole", study).text


@pytest.mark.parametrize(
    ("subjects", "expected"),
    [
        (1, "one subject"),
        (4, "2/2⁴ = 0.12: no difference can be significant at 0.05"),
        (6, "2/2⁶ = 0.031 before Holm"),
    ],
)
def test_few_subjects_are_warned_of(tmp_path, subjects, expected):
    study = a_study(datasets={"ms": Dataset("ms", "MS")})
    assert expected in report(tmp_path, study, some_results(study, subjects)).words


def test_many_subjects_and_seeds_are_not_warned_of(tmp_path):
    study = a_study()
    words = report(tmp_path, study, some_results(study, 24)).words
    assert "subjects only" not in words and "One seed" not in words and "fewer subjects" not in words
    assert "Hermitian" in words and "docs/data.md#simulated-scans" in words  # always


def test_one_seed_gaps_mixed_software_and_values_not_finite_are_warned_of(tmp_path):
    study = a_study(seeds=(0,))
    results = some_results(study)
    gone = (results["method"] == "manet_alpha_0.2") & (results["subject"] == "p3")
    results = results[~gone].reset_index(drop=True)
    results.loc[results["subject"] == "p2", "ssim"] = np.inf
    runs = all_runs(study)
    runs[0] |= {"versions": {"torch": "2.12.0"}, "resumed": True}
    words = report(tmp_path, study, results, runs=runs).words
    assert "trained once" in words
    assert "MS sessions, 1D random 6×, MANet, α = 0.2: 3 of 4 subjects" in words
    assert "p2: MS sessions, 1D random 6×, MANet, seed 0, as trained" in words
    assert "p2: MS sessions, 1D random 6×, MANet, seed 0, another's T1" in words
    assert "torch 2.12.0, 2.13.0" in words
    assert "interrupted" in words


def test_a_study_without_any_result_still_has_its_report(tmp_path):
    study = a_study()
    results = pd.DataFrame(columns=some_results(study).columns)
    runs = [run | {"status": "missing", "training_seconds": None} for run in all_runs(study)]
    words = report(tmp_path, study, results, runs=runs).words
    assert f"{len(runs)} of {len(runs)} runs did not finish" in words and "no results" in words


def test_results_read_back_from_csv_give_the_same_page(tmp_path):
    study = a_study(datasets={"ms": Dataset("ms", "MS"), "ix": Dataset("ix", "IX", folds=2)})
    results = some_results(study)
    results.to_csv(tmp_path / "results.csv", index=False)
    report(tmp_path / "a", study, results)
    report(tmp_path / "b", study, pd.read_csv(tmp_path / "results.csv"))
    assert (tmp_path / "a/report.html").read_bytes() == (tmp_path / "b/report.html").read_bytes()


def test_the_command_names_the_study_but_no_folder_of_this_machine(tmp_path):
    path = tmp_path / "my study.yaml"
    path.write_text("title: from the file\n", encoding="utf-8")
    datasets = {"ms": Dataset("ms", "MS", dataset_dir=str(tmp_path))}
    words = report(tmp_path, a_study(path=path, datasets=datasets)).words
    assert "python -m bundle study 'my study.yaml' --output DIR --data ms=FOLDER" in words
    assert "title: from the file" in words
    assert str(tmp_path) not in (tmp_path / "report.html").read_text(encoding="utf-8")

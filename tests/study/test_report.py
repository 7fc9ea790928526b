"""The report of a study: one page that stands alone, tells protocol and limits, and escapes what it is told."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from bundle.errors import BundleError
from bundle.evaluation.metrics import PROFILES
from bundle.study.figures import Drawing
from bundle.study.plan import Study
from bundle.study.report import check_report, write_report
from bundle.study.tables import study_tables
from tests.nifti_pairs import write_dataset
from tests.study.studies import Page, results_of, study_of

EVIL = 'A <script>alert(1)</script> & "B" ≤ 山田'
pytestmark = pytest.mark.usefixtures("few_resamples")


def small_study(**changes) -> Study:
    content = {
        "title": "A small study",
        "description": "Does T1 help?",
        "datasets": {"ms": {"label": "MS sessions", "folds": 2}},
        "scans": {"random6": {"label": "1D random 6×", "pattern": "random", "acceleration": 6}},
        "methods": {"zero_filled": {"label": "Zero-filled", "overlays": ["zero_filled"]}, "manet": {"label": "MANet"}},
        "settings": {"epochs": 8, "batch_size": 2, "noise_level": 0.07},
        "conditions": {"wrong": {"label": "another's T1", "settings": {"guide": "other"}, "methods": ["manet"]}},
        "sweeps": {"alpha": {"label": "α", "method": "manet", "setting": "alpha", "values": [0.2, 0.4]}},
        "tables": {"main": {"title": "Main", "methods": ["zero_filled", "manet"]}},
    }
    return study_of(**content | changes)


def runs_of(study: Study) -> list[dict]:
    """What each run.json says."""
    known = {"device": "cpu, 1 thread", "finished": "2026-11-25T10:00:00"}
    known |= {"versions": {"python": "3.11.2", "torch": "2.13.0"}}
    trained = {"training_seconds": 754.0, "parameters": 114_921, "epochs": 8, "steps": 480}
    costs = {True: trained, False: dict.fromkeys(trained, 0)}
    return [run.record("done") | known | costs[study.trains(run.method)] for run in study.runs()]


def drawing(path: Path, kind: str = "quality", caption: str = "MS: quality", width: int = 60) -> Drawing:
    Image.new("RGB", (width, 40)).save(path)
    return Drawing(kind, caption, path)


def report(folder: Path, study: Study | None = None, results=None, drawings=(), runs=None) -> Page:
    """The page, with the study's own tables, of a folder that is made."""
    study = study or small_study()
    results = results_of(study, 4) if results is None else results
    folder.mkdir(exist_ok=True)
    runs = runs_of(study) if runs is None else runs
    path = write_report(study, results, study_tables(study, results), list(drawings), folder, runs)
    assert path == folder / "report.html"
    return Page(path.read_text(encoding="utf-8"))


def test_the_page_stands_alone_and_holds_every_table_and_figure_in_order(tmp_path):
    study, results = small_study(), results_of(small_study(), 4)
    drawings = [drawing(tmp_path / f"{n}.png", "comparison", f"MS: {n}", 150 + 3 * n) for n in range(3)]
    page = report(tmp_path, study, results, [*drawings, drawing(tmp_path / "sweep.png", "sweep", "MS: α", 300)])
    names, links = [attrs["id"] for _, attrs in page.tags if "id" in attrs], page.attributes("a", "href")
    assert len(links) > 5 and {link[1:] for link in links} <= set(names) and all(link[0] == "#" for link in links)
    assert len(names) == len(set(names)) and not {"script", "link", "iframe"} & {tag for tag, _ in page.tags}
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "http" not in html and "url(" not in html and "@import" not in html and len(html) < 60_000
    tables = study_tables(study, results)
    places = [page.text.index(text) for table in tables for text in (table.title, table.notes[0])]
    assert places == sorted(places) and all(note in page.text for table in tables for note in table.notes)
    assert page.attributes("img", "width") == ["96", "98", "100", "192"]  # inches of 150 pixels, of 96 on the page
    captions = ["Reconstructions: MS: 0", "Reconstructions: MS: 1", "Reconstructions: MS: 2", "Sweeps: MS: α"]
    assert page.attributes("img", "alt") == captions and "(1.png)" in page.text and "Quality and cost" not in page.text
    uri = page.attributes("img", "src")[0]
    assert base64.b64decode(uri.removeprefix("data:image/png;base64,")) == drawings[0].path.read_bytes()


def large_picture(path: Path) -> tuple[Drawing, Image.Image]:
    """Smooth colours and a little noise, which PNG cannot make small and JPEG can."""
    rows, columns = np.mgrid[:1000, :1500] / 1500
    smooth = np.stack([255 * rows, 255 * columns, 128 + 100 * np.sin(9 * columns)], axis=-1)
    noisy = smooth + np.random.default_rng(0).normal(0, 6, smooth.shape)
    image = Image.fromarray(noisy.clip(0, 255).astype(np.uint8))
    image.save(path)
    assert path.stat().st_size > 2_500_000
    return Drawing("quality", "MS", path), image


def test_a_large_figure_becomes_a_jpeg_below_the_limit_that_looks_the_same(tmp_path):
    large = large_picture(tmp_path / "x.png")
    page = report(tmp_path, drawings=[large[0]])
    data = base64.b64decode(page.attributes("img", "src")[0].removeprefix("data:image/jpeg;base64,"), validate=True)
    assert len(data) <= 1_500_000 and page.attributes("img", "width") == ["960"]
    small = [image.resize((150, 100), Image.Resampling.BOX) for image in (Image.open(io.BytesIO(data)), large[1])]
    assert np.abs(np.subtract(*(np.asarray(image, float) for image in small))).mean() < 1
    # many share what fits into a mail
    assert len(report(tmp_path, drawings=[large[0]] * 25).attributes("img", "src")) == 25
    assert 5_000_000 < (tmp_path / "report.html").stat().st_size < 21_000_000


def test_a_figure_that_cannot_be_read_is_named(tmp_path):
    (tmp_path / "x.png").write_bytes(b"no picture")
    with pytest.raises(BundleError, match="x.png cannot be read"):
        report(tmp_path, drawings=[Drawing("quality", "", tmp_path / "x.png")])
    assert not list(tmp_path.glob("*.html")) and not list(tmp_path.glob(".report*"))


def test_what_the_study_says_is_escaped_everywhere(tmp_path):
    (tmp_path / "<evil>.yaml").write_text(f"title: '{EVIL}'\n", encoding="utf-8")
    study = small_study(
        path=tmp_path / "<evil>.yaml",
        title=EVIL,
        description=EVIL,
        settings={EVIL: EVIL},
        datasets={"ms": {"label": EVIL, "folds": 2, "settings": {EVIL: 1}}},
        scans={"random6": {"label": EVIL}},
        methods={"manet": {"label": EVIL, "settings": {"alpha": EVIL}}, "unet": {"label": "U" + EVIL}},
        conditions={"wrong": {"label": EVIL, "settings": {"guide": EVIL}}},
        sweeps={},
        tables={"main": {"title": EVIL, "methods": ["unet", "manet"]}},
    )
    results = results_of(study, 4).assign(subject=lambda rows: rows["subject"] + EVIL)
    results.loc[0, "psnr"] = np.nan
    runs = runs_of(study)
    runs[0] |= {"status": "failed", "error": EVIL, "device": EVIL, "versions": {EVIL: EVIL}, "folder": EVIL}
    page = report(tmp_path, study, results, [drawing(tmp_path / "<b>x.png", caption=EVIL)], runs)
    assert not {"script", "b", "evil"} & {tag for tag, _ in page.tags}
    assert page.text.count(EVIL) > 20 and EVIL in page.text[:400]


def test_the_protocol_tells_split_masks_metrics_budget_seeds_weights_and_machine(tmp_path):
    page = report(tmp_path)
    for words in [
        "4 subjects 1 scan 2 methods 2 seeds 10 of 10 runs finished",
        "2-fold cross-validation by subject",
        "fold 0, tested 2 (s0, s2); fold 1, tested 2 (s1, s3) 166",  # slices, though each subject has several rows
        f"fastmri_volume: {PROFILES['fastmri_volume']}.",
        "MANet train.yaml 114\u202f921 8 480 2 0.001 754 s 20 ms 4 of 4",
        "Zero-filled zero_filled 0 – – – – – 20 ms 2 of 2",  # the default budget is not its
        "last, those of the last epoch",
        "Seeds 0, 1",
        "random 6× 5.98× (5.98 to 5.98) by acceleration 0.07",
        "cpu, 1 thread",
        "python 3.11.2, torch 2.13.0",
        "compared with MANet, paired by subject",
        "another's T1 guide = other MANet",
    ]:
        assert words in page.words
    assert page.text.index("1 more that only sweeps train") < page.text.index("MANet, α = 0.2")


def test_profile_and_overlays_of_a_study_are_followed(tmp_path):
    methods = {"manet": {"label": "DuDoRNet", "overlays": ["dudornet"], "settings": {"epochs": 3}}}
    settings = {"validate::profile": "slice"}
    study = small_study(settings=settings, methods=methods, sweeps={}, tables={}, conditions={})
    words = report(tmp_path, study, runs=[]).words
    assert PROFILES["slice"] in words and PROFILES["fastmri_volume"] not in words
    assert "DuDoRNet dudornet; epochs = 3 – 3 – 8 0.0005" in words  # dudornet.yaml's learning rate


def test_the_lists_of_a_datalist_are_counted_by_subject_if_it_is_there_but_its_folder_is_not_told(tmp_path):
    path = tmp_path / "my study.yaml"
    path.write_text("title: from the file\n", encoding="utf-8")
    study = small_study(path=path, datasets={"ms": {"label": "MS", "dataset_dir": str(tmp_path)}})
    assert " test 4 (s0, s1, s2, s3)" in report(tmp_path, study).words
    write_dataset(tmp_path)
    words = report(tmp_path, study).words
    assert "training 2 (a, b); validation 1 (c); test 4 (s0, s1, s2, s3)" in words
    assert "python -m bundle study 'my study.yaml' --output DIR --data=ms=FOLDER" in words
    assert "title: from the file" in words
    assert str(tmp_path) not in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_failed_and_missing_runs_are_shown_with_their_error(tmp_path):
    study = small_study()
    runs = runs_of(study)
    runs[1] |= {"status": "failed", "error": "RuntimeError: out of <memory>"}
    runs[2] = study.runs()[2].record("missing")
    page = report(tmp_path, study, runs=runs)
    assert f"2 of {len(runs)} runs did not finish" in page.words and "#warnings" in page.attributes("a", "href")
    assert "failed MS sessions, 1D random 6×, MANet, seed 0, fold 0: RuntimeError: out of <memory>" in page.words
    assert "missing MS sessions, 1D random 6×, MANet, α = 0.2, seed 0, fold 0" in page.words
    assert "did not finish" not in report(tmp_path / "whole", study).text


@pytest.mark.parametrize(
    ("subjects", "expected"),
    [
        (0, "MS: 0 subjects There are no results."),
        (1, "MS: 1 subject"),
        (4, "4 pairs can give is 0.125, so that no difference can be significant"),
        (6, "6 pairs can give is 0.031. Holm's correction makes it larger"),
    ],
)
def test_few_subjects_are_warned_of(tmp_path, subjects, expected):
    study = small_study(datasets={"ms": {"label": "MS"}})
    results = results_of(study, 6).query(f"subject < 's{subjects}'")
    assert expected in report(tmp_path, study, results).words


def test_one_seed_gaps_mixed_software_and_values_not_finite_are_warned_of(tmp_path):
    study = small_study(seeds=[0])
    results = results_of(study, 4)
    results = results[(results["method"] != "manet_alpha_0.2") | (results["subject"] != "s3")].reset_index(drop=True)
    results.loc[results["subject"] == "s2", "ssim"] = np.inf
    runs = runs_of(study)
    runs[0] |= {"versions": {"torch": "2.12.0"}, "resumed": True}
    plain = report(tmp_path, results=results_of(small_study(), 24)).words
    assert "MS sessions: " not in plain and "One seed" not in plain and "Gaps" not in plain
    assert "Hermitian" in plain and "docs/data.md#simulated-scans" in plain  # always
    words = report(tmp_path, study, results, runs=runs).words
    assert all(text in words for text in ("trained once", "torch 2.12.0, 2.13.0", "interrupted"))
    assert "MS sessions, 1D random 6×, MANet, α = 0.2: 3 of 4 subjects" in words
    assert "s2: MS sessions, 1D random 6×, MANet, seed 0" in words
    assert "s2: MS sessions, 1D random 6×, MANet, another's T1, seed 0" in words


def test_results_read_back_from_csv_give_the_same_page(tmp_path):
    study = small_study(datasets={"ms": {"label": "MS"}, "ix": {"label": "IX", "folds": 2}})
    results_of(study).to_csv(tmp_path / "results.csv", index=False)
    report(tmp_path / "a", study, results_of(study))
    report(tmp_path / "b", study, pd.read_csv(tmp_path / "results.csv"))
    assert (tmp_path / "a/report.html").read_bytes() == (tmp_path / "b/report.html").read_bytes()


def test_the_report_of_another_study_is_not_replaced_and_that_of_the_same_is(tmp_path):
    study = small_study(title="A & B < C")
    check_report(study, tmp_path)
    report(tmp_path, study)
    check_report(study, tmp_path)
    with pytest.raises(BundleError, match="is of another study, 'A & B < C', whose results would be replaced by those"):
        check_report(small_study(title="D"), tmp_path)

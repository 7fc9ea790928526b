"""Figures of a study: they show what is on disk, on one scale, without overlaps; the detail favours no method."""

from __future__ import annotations

import itertools
from pathlib import Path

import nibabel
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread
from matplotlib.transforms import Bbox
from scipy import ndimage
from skimage.data import shepp_logan_phantom
from skimage.transform import resize

from bundle.errors import BundleError
from bundle.study import figures
from bundle.study.comparison import methods_figure
from bundle.study.curves import conditions_figure, quality_figure, sweep_figure
from bundle.study.detail import detail_box, middle_slice
from bundle.study.plan import AS_TRAINED, Condition, Dataset, Method, Scan, Study, Sweep, Table

LABELS = [
    "Zero-filled",
    "Compressed sensing (wavelet)",
    "UNet, T2 only",
    "Xiang et al. (early fusion)",
    "DuDoRNet with T1 prior",
    "MANet",
    "MANet without attention",
    "MANet without k-space stage",
    "MANet SC",
    "MANet SC-CS",
    "MANet, $\\alpha = 0.2$",
    "MANet, single-modality ablation",
]


def head(shape: tuple[int, int] = (96, 80)) -> np.ndarray:
    return 500 * resize(shepp_logan_phantom(), shape)


def reconstructions(reference: np.ndarray, count: int = 3) -> dict[str, np.ndarray]:
    noise = np.random.default_rng(0).standard_normal(reference.shape)
    return {label: np.abs(reference + 60 / (number + 1) * noise) for number, label in enumerate(LABELS[:count])}


def metrics(labels) -> dict[str, dict[str, float]]:
    return {label: {"psnr": 25 + number, "ssim": 0.7 + 0.01 * number} for number, label in enumerate(labels)}


def texts(figure: Figure) -> dict[str, Bbox]:
    """Place of every text that is shown; names that occur twice are told apart."""
    figure.draw_without_rendering()
    found = [*figure.texts]
    for axes in (*figure.axes, *(inset for panel in figure.axes for inset in panel.child_axes)):
        found += [*axes.texts, axes.title, axes._left_title]
        if axes.axison:
            found += [axes.xaxis.label, *_visible(axes.xaxis), *_visible(axes.yaxis)]
    return {f"{text.get_text()}#{n}": text.get_window_extent() for n, text in enumerate(found) if text.get_text()}


def _visible(axis) -> list:
    low, high = sorted(axis.get_view_interval())
    return [tick.label1 for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high]


def assert_legible(figure: Figure) -> None:
    boxes, page = texts(figure), figure.bbox
    out = [name for name, box in boxes.items() if box.x0 < 0 or box.y0 < 0 or box.x1 > page.x1 or box.y1 > page.y1]
    assert out == []
    assert [(a, b) for (a, one), (b, two) in itertools.combinations(boxes.items(), 2) if one.overlaps(two)] == []


def written(figure: Figure) -> set[str]:
    """All texts in one line; a label may have been broken after a hyphen."""
    return {name.rsplit("#", 1)[0].replace("-\n", "-").replace("\n", " ") for name in texts(figure)}


def pictures(figure: Figure, colours: str) -> list:
    return [image for axes in figure.axes for image in axes.images if image.get_cmap().name == colours]


# ---- the comparison of methods


@pytest.mark.parametrize(
    ("count", "guide", "masked"),
    [(1, False, True), (3, True, False), (7, True, True), (8, False, True), (12, True, False)],
)
def test_no_text_overlaps_another_or_leaves_the_page(count, guide, masked):
    reference = head()
    images = reconstructions(reference, count)
    mask = (np.arange(80) % 6 == 0) * np.ones((96, 1))
    figure = methods_figure(
        images,
        reference,
        mask if masked else None,
        t1=3 * reference if guide else None,
        metrics=metrics(images),
        title="A rather long name of a data set, 2D spiral 9×: methods",
        subtitle="patient01_ses-1, slice 2 of 3; " * 3,
    )
    assert_legible(figure)
    assert set(images) <= written(figure)


@pytest.mark.parametrize("shape", [(160, 64), (64, 160)])
def test_flat_and_tall_slices_are_legible_too(shape):
    reference = head(shape)
    images = reconstructions(reference, 4)
    assert_legible(methods_figure(images, reference, t1=reference, metrics=metrics(images), title="t", subtitle="s"))


def test_all_images_share_the_reference_s_window_and_all_errors_one_scale():
    reference = head()
    figure = methods_figure(reconstructions(reference, 9), reference)
    white = np.percentile(reference[reference.any(axis=1)], 99.7)
    windows = {image.get_clim() for image in pictures(figure, "gray")}
    assert len(windows) == 1 and windows.pop() == (0, pytest.approx(white, rel=0.02))
    scales = {image.get_clim() for axes in figure.axes for image in axes.images if image.get_cmap().name == "inferno"}
    assert len(scales) == 1
    assert len(pictures(figure, "inferno")) == 9


def test_error_maps_and_details_are_those_of_each_method():
    reference = head()
    images = reconstructions(reference, 2)
    figure = methods_figure(images, reference, rot90=0)
    rows, columns = detail_box(pictures(figure, "gray")[0].get_array())
    for number, image in enumerate(images.values()):
        whole, detail = (np.asarray(p.get_array()) for p in pictures(figure, "gray")[2 + 2 * number : 4 + 2 * number])
        np.testing.assert_array_equal(detail, whole[rows, columns])
        assert np.isin(whole, image).all()
        error = np.asarray(pictures(figure, "inferno")[number].get_array())
        np.testing.assert_array_equal(error, np.abs(whole - np.asarray(pictures(figure, "gray")[0].get_array())))


def test_the_image_is_turned_and_its_aspect_follows_the_voxels():
    reference = head()
    turned, upright = (
        pictures(methods_figure({"a": reference}, reference, spacing=(1.2, 0.6), rot90=turn), "gray")[0]
        for turn in (1, 0)
    )
    np.testing.assert_array_equal(turned.get_array(), np.rot90(upright.get_array()))
    assert upright.axes.get_aspect() == pytest.approx(2) and turned.axes.get_aspect() == pytest.approx(0.5)


def test_the_best_of_each_metric_is_marked_and_failures_are_named():
    reference = head()
    given = {"one": {"psnr": 30.0, "ssim": 0.8}, "two": {"psnr": 29.0, "ssim": 0.9}, "three": {"psnr": np.nan}}
    figure = methods_figure({label: reference for label in given}, reference, metrics=given)
    colours = {text.get_text(): text.get_color() for axes in figure.axes for text in axes.texts}
    assert colours["PSNR 30.00 dB"] == colours["SSIM 0.900"] != colours["PSNR 29.00 dB"] == colours["SSIM 0.800"]
    assert "PSNR not finite" in colours


def test_failed_and_empty_images_still_give_a_figure():
    assert_legible(methods_figure({"a": np.full((64, 64), np.nan), "b": np.zeros((64, 64))}, head((64, 64))))
    assert_legible(methods_figure({"a": np.zeros((64, 64))}, np.zeros((64, 64)), np.zeros((64, 64))))


# ---- where to look


def test_the_detail_is_a_square_in_mm_in_the_head_where_the_grey_values_change_most():
    y, x = np.ogrid[-1:1:128j, -1:1:64j]
    image = 100.0 * ((y / 0.9) ** 2 + (x / 0.9) ** 2 < 1)  # voxels of 1 x 2 mm: a disc of 128 mm with a sharp rim
    image[70:86, 28:36] += 80 * (np.indices((16, 8)).sum(axis=0) % 2)
    rows, columns = detail_box(image, (1.0, 2.0))
    assert rows.start <= 70 and rows.stop >= 86 and columns.start <= 28 and columns.stop >= 36
    assert rows.stop - rows.start == pytest.approx(2 * (columns.stop - columns.start), abs=1)
    assert (rows.stop - rows.start) == pytest.approx(0.3 * 128, abs=2)


def test_the_detail_does_not_depend_on_the_methods():
    reference = head()
    good, bad = ({"a": ndimage.gaussian_filter(reference, width)} for width in (0.3, 5))
    bad["b"] = reference[::-1]
    details = [pictures(methods_figure(images, reference), "gray")[1].get_array() for images in (good, bad)]
    np.testing.assert_array_equal(*details)


def test_the_middle_slice_is_of_the_head_not_of_the_volume():
    volume = np.zeros((16, 16, 40))
    volume[2:14, 2:14, 5:12] = 1
    assert middle_slice(volume) == 8
    assert 0 <= middle_slice(np.zeros((4, 4, 5))) < 5


# ---- numbers as pictures


def swept(values=(0.0, 0.2, 0.4, 1.0), subjects: int = 5) -> dict[float, dict[str, np.ndarray]]:
    rng = np.random.default_rng(1)
    return {
        a: {"psnr": 33 - a + rng.normal(0, 1, subjects), "ssim": 0.9 + rng.normal(0, 0.01, subjects)} for a in values
    }


def test_a_sweep_shows_mean_and_sample_standard_deviation_over_subjects_and_the_default():
    values = swept()
    figure = sweep_figure(values, "alpha", default=0.4, title="t", subtitle="s")
    psnr = figure.axes[0]
    points = np.array([[a, np.mean(values[a]["psnr"])] for a in values])
    np.testing.assert_allclose(psnr.lines[0].get_xydata(), points)
    bars = np.array([segment for segment in psnr.collections[-1].get_segments()])
    spread = [np.std(values[a]["psnr"], ddof=1) for a in values]
    np.testing.assert_allclose((bars[:, 1, 1] - bars[:, 0, 1]) / 2, spread)
    assert {"default 0.4", "PSNR [dB]: mean ± standard deviation over subjects"} <= written(figure)
    assert_legible(figure)


def test_a_sweep_over_decades_is_logarithmic_and_one_subject_has_no_deviation():
    figure = sweep_figure(swept((1e-4, 1e-3, 1e-2), subjects=1), "learning rate", default=1e-4)
    assert {axes.get_xscale() for axes in figure.axes} == {"log"}
    assert "SSIM: mean over subjects" in written(figure)
    assert_legible(figure)


def test_a_value_that_is_not_finite_is_named_in_a_sweep_not_averaged_away():
    values = swept()
    values[0.2]["psnr"][3] = np.nan
    figure = sweep_figure(values, "alpha", default=0.2)
    assert "not finite" in written(figure)
    assert np.isnan(figure.axes[0].lines[0].get_ydata()[1])
    assert_legible(figure)


def crowd(count: int = 11) -> dict[str, dict[str, float]]:
    rng = np.random.default_rng(2)
    return {
        label: {
            "psnr": 32 + rng.random(),
            "ssim": 0.9 + 0.02 * rng.random(),
            "seconds_per_slice": 0.02 + 0.01 * rng.random(),
            "parameters": (0, 2e6, 7_283_670)[min(number, 2)],
        }
        for number, label in enumerate(LABELS[1 : 1 + count])
    }


@pytest.mark.parametrize("count", [1, 2, 11])
def test_labels_of_crowded_points_do_not_overlap(count):
    figure = quality_figure(crowd(count), {"psnr": 25.9, "ssim": 0.7}, title="quality", subtitle="9 subjects")
    assert_legible(figure)


def test_quality_shows_each_method_at_its_cost_and_zero_filling_as_a_dashed_line():
    methods = crowd(4)
    parameters, seconds = quality_figure(methods, {"psnr": 25.9, "ssim": 0.7}).axes[:2]
    points = {label: (row["seconds_per_slice"], row["psnr"]) for label, row in methods.items()}
    np.testing.assert_allclose(seconds.collections[0].get_offsets(), list(points.values()))
    assert len(parameters.collections[0].get_offsets()) == 3  # compressed sensing has no parameters
    assert {axes.get_xscale() for axes in (parameters, seconds)} == {"log"}
    levels = [line for line in seconds.lines if line.is_dashed()]
    assert [set(line.get_ydata()) for line in levels] == [{25.9}]


def test_a_method_without_finite_quality_is_named():
    methods = crowd(3)
    methods[LABELS[2]]["psnr"] = np.inf
    assert f"s; not finite: {LABELS[2]}" in written(quality_figure(methods, subtitle="s"))


def test_conditions_are_dots_beside_a_line_and_gaps_are_named():
    conditions = ["T1 missing", "noise level 0.2, a label that is so long that it has to be broken", "other sampling"]
    values = {label: dict.fromkeys(conditions, 29.5) for label in LABELS[:5]}
    values[LABELS[1]][conditions[0]] = np.nan
    del values[LABELS[2]][conditions[2]]
    trained = {label: 31.0 for label in values} | {LABELS[3]: np.nan}
    figure = conditions_figure(values, trained, title="long " * 30, subtitle="longer " * 30)
    assert_legible(figure)
    assert {"−1.50 dB", "not finite", "not tested", "as trained 31.00", "as trained: not finite"} <= written(figure)
    dots = [line for line in figure.axes[0].lines if line.get_marker() == "o"]
    np.testing.assert_allclose([line.get_xydata()[0] for line in dots], [[29.5, row] for row in range(3)])
    assert {axes.get_xlim() for axes in figure.axes} == {figure.axes[0].get_xlim()}


# ---- from the study's folder

SESSIONS = {"p1": ["p1_ses-1", "p1_ses-2"], "p2": ["p2"]}  # p1 is in fold 0, p2 in fold 1
NAMES = ("zero_filled", "unet", "manet", "manet_alpha_0.2")


@pytest.fixture
def study() -> Study:
    return Study(
        path=Path("study.yaml"),
        title="t",
        description="",
        reference="manet",
        datasets={"brains": Dataset("brains", "Brains", folds=2)},
        scans={"random": Scan("random", "1D random 6×")},
        methods={name: Method(name, label) for name, label in zip(NAMES, LABELS)},
        seeds=(3, 1),
        conditions={"no_t1": Condition("no_t1", "T1 missing", methods=("manet",))},
        sweeps={"alpha": Sweep("alpha", "alpha", "manet", {0.2: NAMES[3], 0.4: "manet"})},
        tables={"main": Table("main", "methods", NAMES[:3]), "none": Table("none", "nothing ran", ("other",))},
    )


@pytest.fixture
def results(tmp_path) -> pd.DataFrame:
    """Rows and volumes of two folds and two seeds."""
    rows = []
    rng = np.random.default_rng(0)
    for (number, method), seed, (fold, subject) in itertools.product(enumerate(NAMES), (1, 3), enumerate(SESSIONS)):
        folder = f"runs/{method}/fold{fold}-seed{seed}"
        for condition in (AS_TRAINED, "no_t1") if method == "manet" else (AS_TRAINED,):
            rows.append(
                {
                    "dataset": "brains",
                    "scan": "random",
                    "method": method,
                    "condition": condition,
                    "seed": seed,
                    "fold": fold,
                    "subject": subject,
                    "slices": 9,
                    "sampled_acceleration": 6.0,
                    "nmse": 0.01,
                    "psnr": 25 + number + 10 * fold + seed / 10 - 3 * (condition != AS_TRAINED),
                    "ssim": 0.7 + number / 20 + fold / 100,
                    "parameters": 1000 * number,
                    "seconds_per_slice": 0.01 * (number + 1),
                    "training_seconds": 9,
                    "folder": folder,
                }
            )
        for volume in SESSIONS[subject]:
            reference = np.zeros((48, 40, 9))
            reference[..., 2:7] = head((48, 40))[..., None] * rng.uniform(0.9, 1.1, 5)
            image = np.abs(reference + (9 - number) * rng.standard_normal(reference.shape))
            for name, values in (("recon", image), ("reference", reference), ("t1", reference)):
                path = tmp_path / folder / "conditions" / AS_TRAINED / "reconstructions" / f"{volume}_{name}.nii.gz"
                path.parent.mkdir(parents=True, exist_ok=True)
                affine = np.diag([1.0, -1.0, 4.0, 1.0])
                nibabel.save(nibabel.Nifti1Image(values.astype(np.float32), affine), path)
    return pd.DataFrame(rows)


@pytest.fixture
def drawn(monkeypatch) -> dict[str, Figure]:
    """Figures by file name, as they were given to be saved."""
    found = {}
    monkeypatch.setattr(figures, "save_figure", lambda figure, path: found.update({path.name: figure}))
    return found


def test_all_figures_of_a_study_are_files_grouped_by_kind(study, results, tmp_path):
    paths = figures.draw_all(study, results, tmp_path)
    names = {kind: [path.name for path in files] for kind, files in paths.items()}
    assert names == {
        "comparison": ["comparison-brains-random-main.png"],
        "sweep": ["sweep-brains-random-alpha.png"],
        "quality": ["quality-brains-random.png"],
        "conditions": ["conditions-brains-random.png"],
    }
    for path in itertools.chain.from_iterable(paths.values()):
        assert path.parent == tmp_path / "figures" and imread(path).shape[0] > 300


def test_figures_of_a_study_are_legible(study, results, tmp_path, drawn):
    figures.draw_all(study, results, tmp_path)
    assert len(drawn) == 4
    for figure in drawn.values():
        assert_legible(figure)


def test_a_comparison_shows_the_first_seed_s_volumes_with_their_subject_s_metrics(study, results, tmp_path, drawn):
    figures.draw_comparisons(study, results, tmp_path)
    (figure,) = drawn.values()
    assert "p1_ses-1, slice 5 of 9; PSNR and SSIM of all volumes of the subject, seed 3" in written(figure)
    assert {"PSNR 25.30 dB", "PSNR 26.30 dB", "PSNR 27.30 dB"} <= written(figure)  # seed 3, fold 0
    folder = tmp_path / "runs/manet/fold0-seed3/conditions" / AS_TRAINED / "reconstructions"
    expected = nibabel.load(folder / "p1_ses-1_recon.nii.gz").get_fdata()[..., 4]
    shown = np.asarray(pictures(figure, "gray")[-2].get_array())  # the last but one is the last image, then its detail
    assert np.isin(shown, expected).all()
    turned = np.rot90(expected, -1)  # y grows to posterior
    rows, columns = (length - size + 1 for length, size in zip(turned.shape, shown.shape))
    assert any(
        np.array_equal(turned[i : i + shown.shape[0], j : j + shown.shape[1]], shown)
        for i in range(rows)
        for j in range(columns)
    )


def test_a_comparison_takes_a_volume_that_all_methods_have_and_none_is_drawn_without(study, results, tmp_path, drawn):
    for path in tmp_path.glob("runs/unet/*/conditions/*/*/p1_*_recon.nii.gz"):
        path.unlink()
    figures.draw_comparisons(study, results, tmp_path)
    (figure,) = drawn.values()
    assert "p2, slice 5 of 9; PSNR and SSIM of the whole volume, seed 3" in written(figure)
    for path in tmp_path.glob("runs/unet/*/conditions/*/*/*_recon.nii.gz"):
        path.unlink()
    assert figures.draw_comparisons(study, results, tmp_path) == []


def test_a_method_without_results_is_left_out_of_a_comparison(study, results, tmp_path, drawn):
    figures.draw_comparisons(study, results[results.method != "unet"], tmp_path)
    (figure,) = drawn.values()
    assert len(pictures(figure, "inferno")) == 2


def test_a_broken_volume_is_named(study, results, tmp_path):
    for path in tmp_path.glob("runs/unet/*/conditions/*/*/*_recon.nii.gz"):
        path.write_bytes(b"broken")
    with pytest.raises(BundleError, match="p1_ses-1_recon.nii.gz"):
        figures.draw_comparisons(study, results, tmp_path)


def test_subjects_are_averaged_over_seeds_before_a_mean_is_taken(study, results, tmp_path, drawn):
    results = results[~((results.subject == "p2") & (results.seed == 1))]  # a subject with one seed counts as much
    figures.draw_all(study, results, tmp_path)
    expected = ((27.1 + 27.3) / 2 + 37.3) / 2
    sweep = drawn["sweep-brains-random-alpha.png"].axes[0].lines[0].get_xydata()
    np.testing.assert_allclose(sweep, [[0.2, expected + 1], [0.4, expected]])
    quality = drawn["quality-brains-random.png"].axes[1].collections[0].get_offsets()
    np.testing.assert_allclose(quality, [[0.02, expected - 1], [0.03, expected]])  # zero-filled is the line
    assert "−3.00 dB" in written(drawn["conditions-brains-random.png"])


def test_a_study_without_results_has_no_figures(study, results, tmp_path):
    assert figures.draw_all(study, results[:0], tmp_path) == dict.fromkeys(
        ("comparison", "sweep", "quality", "conditions"), []
    )

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
from matplotlib.text import Text
from scipy import ndimage
from skimage.data import shepp_logan_phantom
from skimage.transform import resize

from bundle.errors import BundleError
from bundle.study import figures
from bundle.study.comparison import detail_box, methods_figure, middle_slice
from bundle.study.curves import add_heading, conditions_figure, quality_figure, sweep_figure
from bundle.study.names import AS_TRAINED
from bundle.study.plan import Study
from tests.study.studies import results_of, study_of

LABELS = """Zero-filled;Compressed sensing (wavelet);UNet, T2 only;Xiang et al. (early fusion);DuDoRNet with T1 prior
MANet;MANet without attention;MANet without k-space stage;MANet SC;MANet SC-CS;MANet, $\\alpha = 0.2$
MANet, single-modality ablation""".replace("\n", ";").split(";")


def head(shape: tuple[int, int] = (96, 80)) -> np.ndarray:
    return 500 * resize(shepp_logan_phantom(), shape)


def reconstructions(reference: np.ndarray, count: int = 3) -> dict[str, np.ndarray]:
    noise = np.random.default_rng(0).standard_normal(reference.shape)
    return {label: np.abs(reference + 60 / (number + 1) * noise) for number, label in enumerate(LABELS[:count])}


def metrics(labels) -> dict[str, dict[str, float]]:
    return {label: {"psnr": 25 + n, "ssim": 0.7 + 0.01 * n} for n, label in enumerate(labels)}


def texts(figure: Figure) -> list[Text]:
    """Every text that is shown."""
    figure.draw_without_rendering()
    hidden = set()
    for axes in figure.findobj(lambda artist: hasattr(artist, "get_xaxis")):
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            ticks = [*axis.get_major_ticks(), *axis.get_minor_ticks()]
            out = [tick for tick in ticks if not low <= tick.get_loc() <= high or not axes.axison]
            hidden |= {label for tick in out for label in (tick.label1, tick.label2)}
            hidden |= set() if axes.axison else {axis.label, axis.offsetText}
    found = [text for text in figure.findobj(Text) if text.get_visible() and text.get_text() and text not in hidden]
    return [text for text in found if text.get_window_extent().width > 0]


def written(figure: Figure) -> set[str]:
    """All texts in one line; a label may have been broken after a hyphen."""
    return {text.get_text().strip().replace("-\n", "-").replace("\n", " ") for text in texts(figure)}


def assert_legible(figure: Figure, title: str = "a title", note: str = "a note") -> None:
    """No text leaves the page or lies on another."""
    add_heading(figure, title, note)
    boxes = {f"{text.get_text()}#{n}": text.get_window_extent() for n, text in enumerate(texts(figure))}
    page = figure.bbox
    out = [name for name, box in boxes.items() if box.x0 < 0 or box.y0 < 0 or box.x1 > page.x1 or box.y1 > page.y1]
    assert out == []
    assert [(a, b) for (a, one), (b, two) in itertools.combinations(boxes.items(), 2) if one.overlaps(two)] == []


def pictures(figure: Figure, colours: str) -> list:
    return [image for axes in figure.axes for image in axes.images if image.get_cmap().name == colours]


@pytest.mark.parametrize(
    ("count", "guide", "shape"),
    [(1, False, (96, 80)), (3, True, (160, 64)), (4, True, (64, 160)), (7, True, (96, 80)), (12, False, (96, 80))],
)
def test_no_text_overlaps_another_or_leaves_the_page(count, guide, shape):
    images = reconstructions(head(shape), count)
    figure = methods_figure(images, head(shape), t1=3 * head(shape) if guide else None, metrics=metrics(images))
    assert_legible(figure, "A rather long name of a data set, 2D spiral 9×: methods", "patient01_ses-1, slice 2; " * 3)
    assert set(images) <= written(figure)


def test_windows_and_scales_are_shared_and_error_maps_and_details_are_those_of_each_method():
    reference, images = head(), {str(n): image for n, image in enumerate(reconstructions(head(), 9).values())}
    figure = methods_figure(images, reference, rot90=0)
    grey, errors = pictures(figure, "gray"), pictures(figure, "inferno")
    white = np.percentile(reference[reference.any(axis=1)], 99.7)
    (window,) = {image.get_clim() for image in grey}
    assert window == (0, pytest.approx(white, rel=0.02))
    assert len(errors) == 9 and len({image.get_clim() for image in errors}) == 1
    lead, first = np.asarray(grey[0].get_array()), [image for image in grey if image.axes.get_title() in images]
    rows, columns = detail_box(lead)
    details = [image.get_array() for image in grey if np.shape(image.get_array()) == lead[rows, columns].shape]
    for image, panel, error in zip(images.values(), first, errors, strict=True):
        values = np.asarray(panel.get_array())
        np.testing.assert_array_equal(error.get_array(), np.abs(values - lead))
        assert np.isin(values, image).all()
        assert any(np.array_equal(detail, values[rows, columns]) for detail in details)


def test_the_image_is_turned_and_its_aspect_follows_the_voxels():
    reference = head()
    both = [methods_figure({"a": reference}, reference, spacing=(1.2, 0.6), rot90=turn) for turn in (1, 0)]
    turned, upright = (pictures(figure, "gray")[0] for figure in both)
    np.testing.assert_array_equal(turned.get_array(), np.rot90(upright.get_array()))
    assert upright.axes.get_aspect() == pytest.approx(2) and turned.axes.get_aspect() == pytest.approx(0.5)


def test_the_best_of_each_metric_is_marked_and_failures_are_named():
    reference = head()
    given = {"one": {"psnr": 30.0, "ssim": 0.8}, "two": {"psnr": 29.0, "ssim": 0.9}, "three": {"psnr": np.nan}}
    figure = methods_figure({label: reference for label in given}, reference, metrics=given)
    colours = {text.get_text(): text.get_color() for text in texts(figure)}
    assert colours["PSNR 30.00 dB"] == colours["SSIM 0.900"] != colours["PSNR 29.00 dB"] == colours["SSIM 0.800"]
    assert "PSNR not finite" in colours
    assert_legible(methods_figure({"a": np.full((64, 64), np.nan), "b": np.zeros((64, 64))}, head((64, 64))))
    assert_legible(methods_figure({"a": np.zeros((64, 64))}, np.zeros((64, 64))))


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
    details = [methods_figure(images, reference).axes[len(images) + 1].images[0].get_array() for images in (good, bad)]
    np.testing.assert_array_equal(*details)


def test_the_middle_slice_is_of_the_head_not_of_the_volume():
    volume = np.zeros((16, 16, 40))
    volume[2:14, 2:14, 5:12] = 1
    assert middle_slice(volume) == 8 and 0 <= middle_slice(np.zeros((4, 4, 5))) < 5


def swept(values=(0.0, 0.2, 0.4, 1.0), subjects: int = 5) -> dict[float, dict[str, np.ndarray]]:
    noise = np.random.default_rng(1).normal(0, 0.01, (len(values), subjects))
    return {a: {"psnr": 33 - a + 100 * part, "ssim": 0.9 + part} for a, part in zip(values, noise)}


def test_a_sweep_shows_mean_and_sample_standard_deviation_over_subjects_and_the_default():
    values = swept()
    figure = sweep_figure(values, "alpha", 0.4)
    psnr = figure.axes[0]
    np.testing.assert_allclose(psnr.lines[0].get_xydata(), [[a, np.mean(values[a]["psnr"])] for a in values])
    bars = np.array(psnr.collections[-1].get_segments())
    spread = [np.std(values[a]["psnr"], ddof=1) for a in values]
    np.testing.assert_allclose((bars[:, 1, 1] - bars[:, 0, 1]) / 2, spread)
    assert {"0.4 default", "PSNR [dB]: mean ± standard deviation over subjects"} <= written(figure)
    assert_legible(figure)


def test_a_sweep_over_decades_is_logarithmic_one_subject_has_no_deviation_and_what_is_not_finite_is_named():
    figure = sweep_figure(swept((1e-4, 1e-3, 1e-2), subjects=1), "learning rate", 1e-4)
    assert {axes.get_xscale() for axes in figure.axes} == {"log"} and "SSIM: mean over subjects" in written(figure)
    assert_legible(figure)
    values = swept()
    values[0.2]["psnr"][3] = np.nan
    figure = sweep_figure(values, "alpha", 0.2)
    assert "0.2 default not finite" in written(figure) and np.isnan(figure.axes[0].lines[0].get_ydata()[1])
    assert_legible(figure)


def crowd(count: int = 11) -> dict[str, dict[str, float]]:
    rng = np.random.default_rng(2)
    rows = {label: {"psnr": 32 + rng.random(), "ssim": 0.9 + 0.02 * rng.random()} for label in LABELS[1 : 1 + count]}
    for number, row in enumerate(rows.values()):
        row |= {"seconds_per_slice": 0.02 + 0.01 * rng.random(), "parameters": (0, 2e6, 7_283_670)[min(number, 2)]}
    return rows


@pytest.mark.parametrize("count", [1, 2, 11])
def test_names_of_crowded_points_do_not_overlap(count):
    figure = quality_figure(crowd(count), {"psnr": 25.9, "ssim": 0.7})
    assert_legible(figure)
    assert set(crowd(count)) <= written(figure)


def test_quality_shows_each_method_at_its_cost_zero_filling_as_a_dashed_line_and_names_what_is_not_finite():
    methods = crowd(4)
    methods[LABELS[2]]["ssim"] = np.inf
    figure = quality_figure(methods, {"psnr": 25.9, "ssim": 0.7})
    parameters, seconds = figure.axes[:2]
    shown = [np.ma.filled(points.get_offsets(), np.nan)[0] for points in seconds.collections]
    np.testing.assert_allclose(shown, [(row["seconds_per_slice"], row["psnr"]) for row in methods.values()])
    known = [bool(np.ma.filled(points.get_offsets(), np.nan)[0, 0] > 0) for points in parameters.collections]
    assert known == [False, True, True, True]  # compressed sensing has no parameters
    assert {axes.get_xscale() for axes in (parameters, seconds)} == {"log"}
    assert [set(line.get_ydata()) for line in seconds.lines if line.is_dashed()] == [{25.9}]
    assert f"{LABELS[2]} (not finite)" in written(figure)


def test_conditions_are_dots_beside_a_line_and_gaps_are_named():
    conditions = ["T1 missing", "noise level 0.2, a label that is so long that it has to be broken", "other sampling"]
    values = {label: dict.fromkeys(conditions, 29.5) for label in LABELS[:5]}
    values[LABELS[1]][conditions[0]] = np.nan
    del values[LABELS[2]][conditions[2]]
    figure = conditions_figure(values, {label: 31.0 for label in values} | {LABELS[3]: np.nan})
    assert_legible(figure, "long " * 30, "longer " * 30)
    assert {"−1.50 dB", "not finite", "not tested", f"{LABELS[0]} as trained: 31.00 dB"} <= written(figure)
    assert f"{LABELS[3]} as trained: not finite" in written(figure)
    dots = [line for line in figure.axes[0].lines if line.get_marker() == "o"]
    np.testing.assert_allclose([line.get_xydata()[0] for line in dots], [[29.5, row] for row in range(3)])
    assert {axes.get_xlim() for axes in figure.axes} == {figure.axes[0].get_xlim()}


NAMES = ["zero_filled", "unet", "manet"]
SESSIONS = {"s0": ["s0_ses-1", "s0_ses-2"], "s1": ["s1"]}  # s0 is in fold 0, s1 in fold 1


@pytest.fixture
def study() -> Study:
    return study_of(
        datasets={"brains": {"label": "Brains", "folds": 2}},
        scans={"random": {"label": "1D random 6×"}},
        methods={name: {"label": name} for name in NAMES},
        seeds=[3, 1],
        sweeps={"alpha": {"method": "manet", "setting": "alpha", "values": [0.2, 0.4]}},
        tables={"main": {"title": "methods", "methods": NAMES}, "none": {"title": "nothing ran"}},
    )


@pytest.fixture
def results(study, tmp_path) -> pd.DataFrame:
    """Rows and volumes of two folds and two seeds."""
    rows = results_of(study, 2)
    rng = np.random.default_rng(0)
    for row in rows[rows.condition == AS_TRAINED].itertuples():
        for volume in SESSIONS[row.subject]:
            reference = np.zeros((48, 40, 9))
            reference[..., 2:7] = head((48, 40))[..., None] * rng.uniform(0.9, 1.1, 5)
            image = np.abs(reference + 9 * rng.standard_normal(reference.shape))
            for name, values in (("recon", image), ("reference", reference), ("t1", reference)):
                path = tmp_path / row.folder / "conditions" / AS_TRAINED / "reconstructions" / f"{volume}_{name}.nii.gz"
                path.parent.mkdir(parents=True, exist_ok=True)
                affine = np.diag([1.0, -1.0, 4.0, 1.0])
                nibabel.save(nibabel.Nifti1Image(values.astype(np.float32), affine), path)
    return rows


@pytest.fixture
def drawn(monkeypatch) -> dict[str, Figure]:
    """Figures by kind, as they were given to be saved."""
    found = {}
    monkeypatch.setattr(figures, "save_figure", lambda figure, path: found.update({path.name.split("-")[0]: figure}))
    return found


def test_all_figures_of_a_study_are_files_with_kind_and_caption(study, results, tmp_path):
    drawings = figures.draw_all(study, results, tmp_path)
    where = "Brains, 1D random 6×"
    assert [(drawing.kind, drawing.caption, drawing.path.name) for drawing in drawings] == [
        ("comparison", f"{where}: methods", "comparison-brains-random-main.png"),
        ("sweep", f"{where}: alpha", "sweep-brains-random-alpha.png"),
        ("quality", f"{where}: quality and cost", "quality-brains-random.png"),
        ("conditions", f"{where}: tested otherwise than trained", "conditions-brains-random.png"),
    ]
    for drawing in drawings:
        assert drawing.path.parent == tmp_path / "figures" and imread(drawing.path).shape[0] > 300
    assert figures.draw_all(study, results[:0], tmp_path) == []


def test_a_comparison_shows_the_first_seed_s_volumes_with_their_subject_s_metrics(study, results, tmp_path, drawn):
    figures.draw_all(study, results, tmp_path)
    figure = drawn["comparison"]
    assert "s0_ses-1, slice 5 of 9; PSNR and SSIM of all volumes of the subject, seed 3" in written(figure)
    own = results[(results.seed == 3) & (results.subject == "s0") & (results.condition == AS_TRAINED)]
    assert {f"PSNR {psnr:.2f} dB" for psnr in own[own.method.isin(NAMES)].psnr} <= written(figure)
    folder = Path(own[own.method == "manet"].folder.iloc[0], "conditions", AS_TRAINED, "reconstructions")
    volume = nibabel.load(tmp_path / folder / "s0_ses-1_recon.nii.gz").get_fdata()[..., 4]
    shown = np.asarray(pictures(figure, "gray")[4].get_array())  # after reference, T1 and two methods
    windows = np.lib.stride_tricks.sliding_window_view(np.rot90(volume, -1), shown.shape)  # y grows to posterior
    assert (windows == shown).all(axis=(-2, -1)).any()
    for each in drawn.values():
        assert_legible(each)


def test_a_comparison_takes_a_volume_that_all_methods_have_none_is_drawn_without_and_a_broken_one_is_named(
    study, results, tmp_path, drawn
):
    figures.draw_all(study, results[results.method != "unet"], tmp_path)
    assert len(pictures(drawn["comparison"], "inferno")) == 2
    files = sorted(tmp_path.glob("runs/*/*/unet/*/conditions/*/*/*_recon.nii.gz"))
    for path in [path for path in files if path.name.startswith("s0")]:
        path.unlink()
    figures.draw_all(study, results, tmp_path)
    assert "s1, slice 5 of 9; PSNR and SSIM of the whole volume, seed 3" in written(drawn.pop("comparison"))
    for path in [path for path in files if path.exists()]:
        path.write_bytes(b"broken")
    with pytest.raises(BundleError, match="s1_recon.nii.gz"):
        figures.draw_all(study, results, tmp_path)
    for path in [path for path in files if path.exists()]:
        path.unlink()
    figures.draw_all(study, results, tmp_path)
    assert "comparison" not in drawn


def test_subjects_are_averaged_over_seeds_before_a_mean_is_taken(study, results, tmp_path, drawn):
    results = results[(results.subject != "s1") | (results.seed != 1)]  # a subject with one seed counts as much
    figures.draw_all(study, results, tmp_path)
    rows = results[(results.method == "manet") & (results.condition == AS_TRAINED)]
    expected = rows.groupby("subject").psnr.mean().mean()
    assert drawn["sweep"].axes[0].lines[0].get_xydata()[1] == pytest.approx([0.4, expected])
    assert drawn["quality"].axes[1].collections[-1].get_offsets()[0].tolist() == pytest.approx([0.02, expected])
    assert "+1.00 dB" in written(drawn["conditions"])

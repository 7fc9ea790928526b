"""Figures: what is shown is what was given, on one scale, without overlaps and without pyplot."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from matplotlib._pylab_helpers import Gcf
from matplotlib.image import imread
from skimage.data import shepp_logan_phantom
from skimage.transform import resize

from bundle.errors import BundleError
from bundle.evaluation.figures import comparison_figure
from bundle.plotting import save_figure

PSNR = {"psnr": 25.5, "ssim": 0.7}


def pictures(shape: tuple[int, int] = (96, 128)) -> dict[str, np.ndarray]:
    """A phantom that fills its matrix, in arbitrary units, with a strong and a weak error."""
    reference = 500 * resize(shepp_logan_phantom(), shape)
    noise = np.random.default_rng(0).standard_normal(shape)
    mask = np.zeros(shape)
    mask[:, ::6] = 1
    return {
        "t1": 3 * reference,
        "zero_filled": np.abs(reference + 40 * noise),
        "reconstruction": np.abs(reference + 10 * noise),
        "reference": reference,
        "mask": mask,
    }


def panels(figure) -> dict[str, object]:
    titled = {axes.get_title() or axes.get_title(loc="left"): axes for axes in figure.axes}
    return {title: axes for title, axes in titled.items() if title and axes.images}


def shown(axes) -> np.ndarray:
    return np.asarray(axes.images[0].get_array())


def test_panels_are_guide_zero_filled_reconstruction_reference_mask_and_both_errors():
    figure = comparison_figure(**pictures(), acceleration=5.98, error_factor=5)
    assert list(panels(figure)) == [
        "T1 (guide)",
        "T2 zero-filled",
        "T2 MANet",
        "T2 reference",
        "k-space mask, 5.98×",
        "|error| × 5, zero-filled",
        "|error| × 5, MANet",
    ]


def test_error_panels_show_the_absolute_difference_on_one_scale():
    given = pictures()
    axes = panels(comparison_figure(**given, error_factor=5, rot90=0))
    for name, source in (("zero-filled", "zero_filled"), ("MANet", "reconstruction")):
        error = shown(axes[f"|error| × 5, {name}"])
        rows, columns = error.shape
        whole = np.abs(given[source] - given["reference"])
        places = [
            np.array_equal(whole[i : i + rows, j : j + columns], error)
            for i in range(whole.shape[0] - rows + 1)
            for j in range(whole.shape[1] - columns + 1)
        ]
        assert sum(places) == 1
    scales = {axes[f"|error| × 5, {name}"].images[0].get_clim() for name in ("zero-filled", "MANet")}
    white = axes["T2 reference"].images[0].get_clim()[1]
    assert scales == {(0.0, white / 5)}


def test_t2_images_share_the_reference_s_grey_window():
    axes = panels(comparison_figure(**pictures()))
    windows = {axes[f"T2 {name}"].images[0].get_clim() for name in ("zero-filled", "MANet", "reference")}
    assert len(windows) == 1
    assert axes["T1 (guide)"].images[0].get_clim()[1] == pytest.approx(3 * next(iter(windows))[1], rel=0.2)


def test_all_images_show_the_same_part_of_the_slice():
    given = pictures()
    padded = {name: np.pad(image, 40) for name, image in given.items()}
    axes = panels(comparison_figure(**padded))
    shapes = {shown(axes[name]).shape for name in axes if "mask" not in name}
    assert len(shapes) == 1
    rows, columns = shapes.pop()
    assert rows < 145 and columns < 130  # of 208 x 176: the head, not the padding


@pytest.mark.parametrize("rot90", [-1, 0, 1, 2])
def test_turning_turns_the_images_but_not_the_mask(rot90):
    given = pictures()
    axes = panels(comparison_figure(**given, rot90=rot90))
    upright = panels(comparison_figure(**given, rot90=0))
    np.testing.assert_array_equal(shown(axes["T2 reference"]), np.rot90(shown(upright["T2 reference"]), rot90))
    (mask,) = (shown(panel) for name, panel in axes.items() if "mask" in name)
    np.testing.assert_array_equal(mask, given["mask"] != 0)


def test_aspect_follows_the_voxels_also_after_a_quarter_turn():
    def aspect(rot90: int) -> float:
        return panels(comparison_figure(**pictures(), spacing=(1.2, 0.6), rot90=rot90))["T2 reference"].get_aspect()

    assert aspect(0) == pytest.approx(2.0)
    assert aspect(1) == pytest.approx(0.5)


def test_metrics_stand_under_the_panels_and_the_gain_beside_the_scale():
    better = {"psnr": 31.25, "ssim": 0.9}
    figure = comparison_figure(**pictures(), zero_filled_metrics=PSNR, reconstruction_metrics=better)
    texts = [text.get_text() for axes in figure.axes for text in axes.texts]
    assert "PSNR 25.50 dB   SSIM 0.700" in texts and "PSNR 31.25 dB   SSIM 0.900" in texts
    assert "+5.75 dB PSNR\n+0.200 SSIM" in texts


@pytest.mark.parametrize("shape", [(96, 128), (160, 64), (64, 160)])
def test_no_text_overlaps_another(shape):
    figure = comparison_figure(
        **pictures(shape),
        title="subject",
        subtitle="slice 50",
        zero_filled_metrics=PSNR,
        reconstruction_metrics={"psnr": 31.25, "ssim": 0.9},
    )
    figure.draw_without_rendering()
    texts = [*figure.texts]
    for axes in (*figure.axes, *(inset for parent in figure.axes for inset in parent.child_axes)):
        texts += [*axes.texts, axes.title, axes._left_title, *(axes.get_yticklabels() if axes.axison else [])]
    boxes = {text.get_text(): text.get_window_extent() for text in texts if text.get_text()}
    assert len(boxes) > 14
    page = figure.bbox
    for box in boxes.values():
        assert page.x0 <= box.x0 and box.x1 <= page.x1 and page.y0 <= box.y0 and box.y1 <= page.y1
    pairs = itertools.combinations(boxes.items(), 2)
    assert [(one, other) for (one, a), (other, b) in pairs if a.overlaps(b)] == []


@pytest.mark.parametrize("image", ["zero", "nan"])
def test_empty_or_failed_images_still_give_a_figure(image, tmp_path):
    given = pictures()
    given["reconstruction"] = given["reconstruction"] * (0 if image == "zero" else np.nan)
    if image == "zero":
        given["reference"] = given["reference"] * 0
    save_figure(comparison_figure(**given), tmp_path / "figure.png")
    assert imread(tmp_path / "figure.png").ndim == 3


def test_subject_names_with_dollar_signs_are_text_not_mathematics(tmp_path):
    name = r"$\frac{ $x^$"
    figure = comparison_figure(
        **pictures(),
        title=name,
        subtitle=name,
        network_name=name,
        zero_filled_metrics=PSNR,
        reconstruction_metrics=PSNR,
    )
    save_figure(figure, tmp_path / "figure.png")
    assert (tmp_path / "figure.png").stat().st_size > 10_000


def test_saving_replaces_the_file_in_one_step_and_names_a_path_that_cannot_be_written(tmp_path):
    figure = comparison_figure(**pictures())
    (tmp_path / "a.png").write_text("old")
    save_figure(figure, tmp_path / "a.png")
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]
    assert imread(tmp_path / "a.png").ndim == 3
    with pytest.raises(BundleError, match="b.png"):
        save_figure(figure, tmp_path / "a.png" / "b.png")


def test_figures_do_not_pass_through_pyplot_s_global_state():
    comparison_figure(**pictures())
    assert Gcf.get_all_fig_managers() == []

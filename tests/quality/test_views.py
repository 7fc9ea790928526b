"""Pictures stand upright and show what lies where: the patient's right on the left, T1 where the transform puts it."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from PIL import Image

from bundle.quality.views import draw_pair

SHAPE = (40, 40, 30)
AFFINES = {
    "RAS": np.array([[3.0, 0, 0, -60], [0, 3, 0, -60], [0, 0, 4, -60], [0, 0, 0, 1]]),
    "LPS": np.array([[-3.0, 0, 0, 57], [0, -3, 0, 57], [0, 0, 4, -60], [0, 0, 0, 1]]),
    "sagittal": np.array([[0, 0, 4.0, -60], [-3, 0, 0, 60], [0, -3, 0, 60], [0, 0, 0, 1]]),
}


def marked(affine: np.ndarray, mark: tuple[float, float, float]) -> MetaTensor:
    """A ball of 50 mm with a bright one of 14 mm around ``mark``, RAS mm."""
    index = np.stack(np.meshgrid(*map(np.arange, SHAPE), indexing="ij"), axis=-1)
    points = index @ affine[:3, :3].T + affine[:3, 3]
    ball = (np.linalg.norm(points, axis=-1) < 50) * 100.0
    ball[np.linalg.norm(points - mark, axis=-1) < 14] = 400
    return MetaTensor(torch.from_numpy(ball.astype(np.float32))[None], affine=torch.from_numpy(affine))


def panels(fixed: MetaTensor, moving: MetaTensor, after: np.ndarray, view: str) -> list[np.ndarray]:
    """The four pictures, mean over colours."""
    uri = draw_pair(fixed, moving, np.eye(4), after, (view,), 100, 90)
    image = np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.split(",")[1]))), dtype=float)
    return [part[:, :-4] for part in np.array_split(np.pad(image, ((0, 0), (0, 4), (0, 0))).mean(-1), 4, axis=1)]


@pytest.mark.parametrize("name", AFFINES)
@pytest.mark.parametrize(
    ("view", "mark", "corner"),
    [
        ("axial", (25, 25, 0), (0, 0)),  # right, front: left, top
        ("axial", (-25, -25, 0), (1, 1)),
        ("coronal", (25, 0, 25), (0, 0)),  # right, up
        ("sagittal", (0, 25, 25), (0, 0)),  # front, up
        ("sagittal", (0, -25, 25), (0, 1)),
    ],
)
def test_views_stand_upright_with_the_patients_right_on_the_left(name, view, mark, corner):
    volume = marked(AFFINES[name], mark)
    picture = panels(volume, volume, np.eye(4), view)[2]
    height, width = picture.shape
    halves = [[picture[: height // 2, : width // 2], picture[: height // 2, width // 2 :]]]
    halves += [[picture[height // 2 :, : width // 2], picture[height // 2 :, width // 2 :]]]
    brightest = max(
        ((row, column) for row in (0, 1) for column in (0, 1)), key=lambda at: (halves[at[0]][at[1]] > 190).sum()
    )
    assert brightest == corner


def test_an_image_whose_bright_voxels_were_passed_over_is_drawn():
    fixed, spot = marked(AFFINES["RAS"], (25, 25, 0)), MetaTensor(torch.zeros(1, *SHAPE), affine=AFFINES["RAS"])
    spot[0, 21, 21, 15] = 100.0
    assert len(panels(fixed, spot, np.eye(4), "axial")) == 4


def test_before_shows_t1_by_the_headers_and_after_by_the_transform():
    fixed = marked(AFFINES["RAS"], (25, 25, 0))
    lost = MetaTensor(fixed.as_tensor(), affine=fixed.affine.clone())
    lost.affine[0, 3] += 60
    truth = np.eye(4)
    truth[0, 3] = 60
    before, after, *_ = panels(fixed, lost, truth, "axial")
    aligned = panels(fixed, fixed, np.eye(4), "axial")[0]
    assert np.abs(after - aligned).mean() < 0.2 * np.abs(before - aligned).mean()

"""MONAI Label's real server on a real DICOMweb store: the T1 of the study is found, and nothing of it stays."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom
import pytest

from bundle import reconstruct
from bundle.errors import BundleError
from tests.dicom_series import T1_SHAPE, T1_SPACING, T2_SHAPE, T2_SPACING, affine_of, write_dicom_pair, write_series
from tests.label import browser
from tests.label.conftest import QUICK, Server, need_monai_label, server_on
from tests.label.ohif import open_study, show_series
from tests.label.orthanc import MISSING, Orthanc, documented_config
from tests.label.test_server import detail, saved

STUDIES = "one several none gap".split()


class Stored:
    """A store of small studies, and a server on it; ``uids`` of series by ``study/name``."""

    def __init__(self, folder: Path, store: Orthanc) -> None:
        self.folder, self.store = folder, store
        self.uids: dict[str, str] = {}
        head = {"T1": (T1_SHAPE, T1_SPACING), "T2": (T2_SHAPE, T2_SPACING)}
        write_dicom_pair(folder / "one")
        for study, name, like, number, description in (
            ("several", "T2", "T2", 5, "t2_tse_tra"),
            ("several", "T1", "T1", 3, "t1_se_tra"),
            ("several", "mprage", "T1", 4, "MPRAGE"),
            ("several", "after", "T1", 9, "t1_se_tra_km"),
            ("none", "T2", "T2", 5, "T2W"),
            ("none", "flair", "T2", 6, "T2 FLAIR"),
            ("gap", "T2", "T2", 5, "t2_tse_tra"),
            ("gap", "T1", "T1", 3, "t1_se_tra"),
        ):
            voxels = np.random.default_rng(number).integers(0, 900, head[like][0])
            own = f"1.2.826.0.1.3680043.8.498.{STUDIES.index(study)}"

            def change(image: pydicom.Dataset, place: int, own: str = own) -> None:
                image.StudyInstanceUID = own

            write_series(folder / study / name, voxels, affine_of(*head[like]), number, description, change)
        (folder / "gap" / "T2" / "IM0003").unlink()
        for place in sorted(folder.glob("*/*")):
            files = sorted(place.iterdir())
            self.uids[f"{place.parent.name}/{place.name}"] = str(pydicom.dcmread(files[0]).SeriesInstanceUID)
            store.add(files)


@pytest.fixture(scope="module")
def stored(tmp_path_factory) -> Iterator[Stored]:
    need_monai_label()
    if MISSING:
        pytest.skip(MISSING)
    folder = tmp_path_factory.mktemp("stored")
    store = Orthanc(folder, documented_config()).wait()
    yield Stored(folder / "studies", store)
    store.end()


@pytest.fixture(scope="module")
def server(stored, tmp_path_factory) -> Iterator[Server]:
    yield from server_on(tmp_path_factory.mktemp("server"), stored.store.url)


@pytest.fixture(scope="module")
def expected(stored, tmp_path_factory) -> np.ndarray:
    one = stored.folder / "one"
    t2 = shutil.copytree(one / "T2", tmp_path_factory.mktemp("named") / stored.uids["one/T2"])  # which is its seed
    return reconstruct(one / "T1", t2, device="cpu", **QUICK).numpy()


@pytest.fixture(autouse=True)
def nothing_stays(server):
    yield
    if server.process.poll() is None:
        assert server.left() == []
        assert all(path.stat().st_size < 3000 for path in server.work.rglob("*") if path.is_file())  # no image


@pytest.mark.parametrize("asked", ["by description", "by number", "by UID"])
def test_a_t2_series_comes_back_as_the_command_line_reconstructs_it(server, stored, expected, tmp_path, asked):
    t1 = {"by description": {}, "by number": {"t1": 3}, "by UID": {"t1": stored.uids["one/T1"]}}[asked]
    image = nib.load(saved(server.infer(stored.uids["one/T2"], **t1), tmp_path / "x.nii.gz"))
    np.testing.assert_allclose(image.get_fdata(), expected, atol=0.004)
    np.testing.assert_allclose(image.affine, affine_of(T2_SHAPE, T2_SPACING), atol=1e-4)
    told = json.loads(server.infer(stored.uids["one/T2"], output="json", **t1)[1])
    assert told["t1"] == "3 't1_se_tra' (10 images)"


def test_a_series_is_stored_where_it_is_asked_for_and_is_no_study_itself(server, stored, expected, tmp_path):
    uid = stored.uids["one/T2"]
    before = stored.store.series()
    told = json.loads(server.infer(uid, output="json", output_format="dicom")[1])
    (new,) = stored.store.series().keys() - before.keys()
    series = stored.store.series()[new]
    assert told["series"] == new and series["images"] == T2_SHAPE[2]
    assert series["description"].startswith("Research reconstruction, undersampled ")
    images = [stored.store.image(name) for name in series["instances"]]
    assert {image.StudyInstanceUID for image in images} == {pydicom.dcmread(one_file(stored)).StudyInstanceUID}
    planes = [image.pixel_array.T for image in sorted(images, key=lambda image: image.InstanceNumber)]
    np.testing.assert_allclose(np.stack(planes, axis=-1), expected.clip(0), atol=0.51)
    listed = json.loads(server.ask("GET", "/info/")[1])["datastore"]["total"]
    assert listed == 4  # the T2 series
    saved(server.infer(uid), tmp_path / "again.nii.gz")  # its T1 is still the only one


def one_file(stored: Stored) -> Path:
    return stored.folder / "one" / "T2" / "IM0001"


@pytest.mark.parametrize(
    ("study", "params", "said"),
    [
        (
            "several",
            {},
            "holds 2 T1 series: 3 't1_se_tra' (10 images), 4 'MPRAGE' (10 images); choose one by its number",
        ),
        ("none", {}, "holds no T1 by its description, but 6 'T2 FLAIR' (6 images); give the T1 by its number or UID"),
        ("none", {"t1": 12}, "holds no other series 12, which t1 asks for, but 6 'T2 FLAIR' (6 images)."),
        ("none", {"t1": "6"}, "T1 and T2"),  # another head
        ("one", {"output_format": "png"}, "output_format is nifti or dicom"),
        ("one", {"output_format": "dicom", "result_dtype": "uint16"}, "leave out result_dtype"),
        ("one", {"t2_series": 7}, "holds no DICOM series 7, which t2_series asks for, but 5 't2_tse_tra'"),
        ("one", {"save_uncertainty": True}, "no uncertainty is kept"),
        ("one", {"t1": "../x"}, "is outside the folder of studies"),
    ],
)
def test_a_mistake_is_told_in_one_sentence_without_temporary_folders(server, stored, study, params, said):
    status, sentence = detail(server.infer(stored.uids[f"{study}/T2"], **params))
    assert status == 400 and said in sentence and "\n" not in sentence and str(server.tmp) not in sentence


def test_a_series_with_a_missing_slice_is_told_by_its_uid(server, stored):
    uid = stored.uids["gap/T2"]
    status, sentence = detail(server.infer(uid, output_format="dicom"))
    assert status == 400 and sentence.startswith(f"{uid} (DICOM series 5 't2_tse_tra') is not evenly spaced: from ")


def test_a_series_that_is_not_there_and_a_t1_in_the_place_of_a_t2_are_told(server, stored):
    assert detail(server.infer("1.2.3"))[1].startswith("There is no series '1.2.3' in the DICOMweb store ")
    assert detail(server.infer("one"))[1].endswith("is named by its SeriesInstanceUID; files are not taken.")
    assert "is a T1 by its description; name the T2" in detail(server.infer(stored.uids["one/T1"]))[1]


def test_viewers_get_the_next_t2_and_its_voxels(server, stored, tmp_path):
    status, told = server.post("/activelearning/first", {})
    assert status == 200 and told["id"] in {stored.uids[f"{study}/T2"] for study in STUDIES}
    file = saved(server.ask("GET", f"/datastore/image?image={stored.uids['one/T2']}"), tmp_path / "x.nii.gz")
    np.testing.assert_allclose(nib.load(file).affine, affine_of(T2_SHAPE, T2_SPACING), atol=1e-4)
    assert server.ask("GET", "/datastore/image?image=1.2.3")[0] == 400


def test_a_batch_stores_a_series_of_each_study_that_can_be_reconstructed(server, stored):
    status, told = server.post("/batch/infer/t2_from_t1?run_sync=true", QUICK)
    assert status == 400 and "output_format dicom" in told["detail"]
    before = stored.store.series()
    status, told = server.post("/batch/infer/t2_from_t1?run_sync=true", QUICK | {"output_format": "dicom"})
    assert status == 200 and set(told) == {stored.uids[f"{study}/T2"] for study in STUDIES}
    assert stored.store.series().keys() - before.keys() == {told[stored.uids["one/T2"]]["params"]["series"]}
    assert [bool(told[stored.uids[f"{study}/T2"]].get("error")) for study in STUDIES] == [False, True, True, True]


def test_a_training_and_an_upload_are_refused(server):
    status, told = server.post("/train/t2_from_t1?run_sync=true", {})
    assert status == 400 and told["detail"].startswith("A training needs a folder of NIfTI files")
    form = b'--xx\r\nContent-Disposition: form-data; name="file"; filename="a.nii.gz"\r\n\r\nx\r\n--xx--\r\n'
    answer = server.ask("PUT", "/datastore/image?image=x", form, Content_Type="multipart/form-data; boundary=xx")
    assert answer[0] == 400 and "upload series to the store itself" in detail(answer)[1]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/ohif/", 200),
        ("GET", "/proxy/dicom/qido/studies", 200),
        ("GET", "/proxy/dicom/wado/../instances", 404),
        ("GET", "/proxy/dicom/wado/studies/%2e%2e/%2e%2e/instances", 404),
        ("GET", "/proxy/dicom/wado/studies/1/%252e%252e/x", 404),
        ("POST", "/proxy/dicom/stow/studies", 404),
    ],
)
def test_of_the_store_only_images_and_their_lists_are_passed_on(server, method, path, status):
    assert server.ask(method, path)[0] == status


@pytest.mark.skipif(bool(browser.MISSING), reason=browser.MISSING)
def test_ohif_shows_the_reconstruction_beside_its_t2(server, stored, tmp_path):
    t2 = stored.uids["one/T2"]
    told = json.loads(server.infer(t2, output="json", output_format="dicom")[1])
    new = stored.store.series()[told["series"]]["id"]
    study = pydicom.dcmread(one_file(stored)).StudyInstanceUID
    for series in stored.store.series().values():  # those of earlier tests have the same description
        if series["description"].startswith("Research") and series["id"] != new:
            stored.store.ask(f"/series/{series['id']}", method="DELETE")
    page = browser.Browser(tmp_path / "profile")
    try:
        open_study(page, server.url, study, "Research reconstruction")
        shown = [show_series(page, n, name, 4) for n, name in enumerate(("t2_tse_tra", "Research reconstruction"))]
        page.picture(tmp_path / "ohif.png")
    finally:
        page.end()
    assert min(shown) > 0.02 and 0.5 < shown[1] / shown[0] < 2  # as much of a head in both


def test_a_store_that_does_not_answer_is_told(server, tmp_path):
    from bundle.label.dicomweb import SeriesStore  # imports MONAI Label

    with pytest.raises(BundleError, match="The DICOMweb store http://127.0.0.1:1/x does not answer"):
        SeriesStore("http://127.0.0.1:1/x", tmp_path)
    with pytest.raises(BundleError, match="refuses .404"):
        SeriesStore(server.url, tmp_path)
    (tmp_path / "dead").mkdir()
    dead = Server(tmp_path / "dead", "http://127.0.0.1:1/x")
    assert dead.process.wait(timeout=300) == 1 and list(dead.tmp.iterdir()) == []
    *_, last = dead.log.read_text().splitlines()
    assert last.startswith("Error: The DICOMweb store http://127.0.0.1:1/x does not answer (ConnectionError); see ")


def test_an_operator_may_narrow_which_series_are_listed(stored, tmp_path, monkeypatch):
    from bundle.label.dicomweb import SeriesStore, settings

    listed = {}
    for date in ("20240102", "20250101"):
        monkeypatch.setattr(settings, "MONAI_LABEL_DICOMWEB_SEARCH_FILTER", {"StudyDate": f"{date}-"})
        listed[date] = len(SeriesStore(stored.store.url, tmp_path).list_images())
    assert listed == {"20240102": 4, "20250101": 0}


def test_sigterm_in_a_reconstruction_leaves_no_file(stored, tmp_path):
    ending = Server(tmp_path, stored.store.url).wait()
    with ThreadPoolExecutor() as pool:
        asked = pool.submit(ending.infer, stored.uids["one/T2"])
        while not any(ending.tmp.rglob("*.dcm")):
            time.sleep(0.02)
        assert ending.end() == 143
        asked.exception()
    assert list(ending.tmp.iterdir()) == []

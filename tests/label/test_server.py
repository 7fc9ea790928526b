"""MONAI Label's real server with our app: what clients get over HTTP, what they are told, and what stays behind."""

from __future__ import annotations

import json
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote

import itk
import nibabel as nib
import numpy as np
import pytest

from bundle import reconstruct
from bundle.paths import own_path
from tests.label.conftest import QUICK, Server


@pytest.fixture(scope="module")
def expected(server) -> np.ndarray:
    image = reconstruct(server.studies / "T1" / "a-T1.nii.gz", server.studies / "a-T2.nii.gz", device="cpu", **QUICK)
    return image.numpy()


@pytest.fixture(autouse=True)
def nothing_stays(server):
    yield
    if server.process.poll() is None:
        assert server.left() == []


def form(content: bytes, **params) -> tuple[bytes, str]:
    """Body and kind of a request with a T2 file of its own."""
    parts = [b'Content-Disposition: form-data; name="params"\r\n\r\n' + json.dumps(QUICK | params).encode()]
    head = b'Content-Disposition: form-data; name="file"; filename="patient.nii.gz"\r\n\r\n'
    parts.append(head + content)
    return b"--xx\r\n" + b"\r\n--xx\r\n".join(parts) + b"\r\n--xx--\r\n", "multipart/form-data; boundary=xx"


def detail(answer: tuple[int, bytes]) -> tuple[int, str]:
    return answer[0], json.loads(answer[1])["detail"]


def saved(answer: tuple[int, bytes], path: Path) -> Path:
    assert answer[0] == 200, answer[1]
    path.write_bytes(answer[1])
    return path


def test_info_names_one_model_that_is_no_segmentation_and_can_be_trained(server):
    info = json.loads(server.ask("GET", "/info/")[1])
    assert list(info["models"]) == list(info["trainers"]) == ["t2_from_t1"]
    model = info["models"]["t2_from_t1"]
    assert model["type"] == "others" and model["config"]["acceleration"] == "6"
    assert model["config"]["weights"] == ["newest", "shipped"] and "model_filename" not in model["config"]


@pytest.mark.parametrize("t1", [{}, {"t1": "T1/a-T1.nii.gz"}], ids=["found", "given"])
def test_a_study_comes_back_as_the_command_line_reconstructs_it(server, expected, tmp_path, t1):
    image = nib.load(saved(server.infer("a-T2", **t1), tmp_path / "x.nii.gz"))
    assert image.get_data_dtype() == np.float32
    np.testing.assert_allclose(image.get_fdata(), expected, atol=0.004)
    np.testing.assert_allclose(image.affine, nib.load(server.studies / "a-T2.nii.gz").affine, atol=1e-5)


@pytest.mark.parametrize("kind", ["float32", "uint16", "uint8"])
def test_in_nrrd_and_in_integers_it_is_the_same_image(server, expected, tmp_path, kind):
    file = saved(server.infer("a-T2", result_extension=".nrrd", result_dtype=kind), tmp_path / "x.nrrd")
    voxels = itk.array_from_image(itk.imread(str(file))).T
    told = json.loads(server.infer("a-T2", output="json", result_extension=".nrrd", result_dtype=kind)[1])
    scale = told.get("intensity_scale", 1.0)
    assert voxels.dtype == kind and told["weights"]["file"] == "model.pt" and told["t1"] == "a-T1.nii.gz"
    off = 0.004 if kind == "float32" else 0.51 / scale + 0.004
    floats = expected if kind == "float32" else expected.clip(0)
    np.testing.assert_allclose(voxels / scale, floats, atol=off)


@pytest.mark.parametrize(
    ("request_", "status", "said"),
    [
        ({"image": "c-T2"}, 400, "c-T2.nii.gz has no T1 beside it by name; put it at "),
        ({"image": "a-T2", "t1": "T1/no.nii.gz"}, 400, "no.nii.gz does not exist"),
        ({"image": "a-T2", "t1": "a-T2.nii.gz"}, 400, "T1 and T2 are the same image"),
        ({"image": "a-T2", "model": "liver"}, 404, "There is no model 'liver' available"),
        ({"image": "z-T2"}, 400, "There is no study 'z-T2'; there are a-T2, b-T2, c-T2."),
        ({"image": "d-T2"}, 400, "d-T2.nrrd is no NIfTI file, and this server reads no others; save it as d-T2.nii.gz"),
        ({"image": "{}/a-T2.nii.gz", "save_uncertainty": True}, 400, "An uncertainty is kept beside its study, so "),
        ({"image": "a-T2", "acceleration": 0}, 400, "acceleration is a number from 1"),
        ({"image": "a-T2", "aceleration": 4}, 400, "There is no setting aceleration; did you mean acceleration?"),
        ({"image": "a-T2", "pattern": "$print(1)"}, 400, "pattern is random, "),
        ({"image": "a-T2", "weights": "../model.pt"}, 400, "'../model.pt' is outside the folder of studies"),
        ({"image": "a-T2", "weights": "best"}, 400, "weights is newest or shipped, not 'best'."),
        ({"image": "a-T2", "result_dtype": "complex64"}, 400, "result_dtype is a type of numbers such as float32"),
        ({"image": "a-T2", "result_extension": ".png"}, 400, "result_extension is .nii.gz, .nii or .nrrd, not '.png'"),
        ({"image": "a-T2", "t1": "../other/secret-T2.nii.gz"}, 400, "is outside the folder of studies"),
        ({"image": "{}/../other/secret-T2.nii.gz"}, 403, "is outside the folder of studies"),
    ],
)
def test_a_mistake_reaches_the_client_in_one_sentence_and_the_server_stays_up(server, request_, status, said):
    request_["image"] = request_["image"].format(server.studies)
    told = detail(server.infer(**request_))
    assert told[0] == status and said in told[1] and "\n" not in told[1]
    assert server.ask("GET", "/info/")[0] == 200


def test_params_that_are_no_json_are_told_in_one_sentence(server):
    form = {"Content_Type": "application/x-www-form-urlencoded"}
    status, sentence = detail(server.ask("POST", "/infer/t2_from_t1?image=a-T2", b"params=%7B%22a%22", **form))
    assert status == 400 and sentence.startswith("""'{"a"' is no JSON: """)


@pytest.mark.parametrize("damage", [lambda content: content[: len(content) // 2], lambda content: b"no image"])
def test_a_broken_file_is_told_by_name(server, damage):
    name, file = "broken-T2", server.studies / "broken-T2.nii.gz"
    file.write_bytes(damage((server.studies / "a-T2.nii.gz").read_bytes()))
    try:
        status, sentence = detail(server.infer(str(file), t1="T1/a-T1.nii.gz"))
        assert status == 400 and f"{name}.nii.gz cannot be read as NIfTI" in sentence
    finally:
        file.unlink()


def test_the_t1_of_another_subject_is_refused(server, shared_data):
    folder, data = server.studies / "real", shared_data / "ms-longitudinal"
    folder.mkdir()
    t2 = shutil.copy(data / "patient03/ses-2/T2w.nii.gz", folder)
    t1 = shutil.copy(data / "patient12/ses-1/T1w.nii.gz", folder)
    status, sentence = detail(server.infer(t2, t1=t1, image_size=128))
    assert status == 400 and sentence.startswith("T1 and T2 do not seem to show the same anatomy")


def test_two_requests_at_once_get_each_its_own_study(server, expected, tmp_path):
    with ThreadPoolExecutor() as pool:
        answers = list(pool.map(server.infer, ["a-T2", "b-T2"]))
    images = [nib.load(saved(one, tmp_path / f"{n}.nii.gz")).get_fdata() for n, one in enumerate(answers)]
    np.testing.assert_allclose(images[0], expected, atol=0.004)
    assert np.abs(images[0] - images[1]).max() > 10


def test_an_upload_is_reconstructed_and_gone_also_where_it_is_refused(server, tmp_path):
    t2, where = (server.studies / "a-T2.nii.gz").read_bytes(), "/infer/t2_from_t1?output=image"
    body, kind = form(t2, t1=str(server.studies / "T1" / "a-T1.nii.gz"))
    saved(server.ask("POST", where, body, Content_Type=kind), tmp_path / "x.nii.gz")
    assert server.left() == []
    body, kind = form(t2[:500], t1=str(server.studies / "T1" / "a-T1.nii.gz"))
    assert detail(server.ask("POST", where, body, Content_Type=kind))[0] == 400
    assert server.left() == []


def test_in_a_batch_the_study_without_a_t1_is_told_and_the_others_are_reconstructed(server):
    status, told = server.post("/batch/infer/t2_from_t1?run_sync=true", QUICK)
    assert status == 200 and sorted(told) == ["a-T2", "b-T2", "c-T2"]
    assert "c-T2.nii.gz has no T1 beside it by name" in told["c-T2"]["error"]
    saved_labels = sorted(path.name for path in (server.studies / "labels" / "original").iterdir())
    assert saved_labels == ["a-T2.nii.gz", "b-T2.nii.gz"] and told["a-T2"]["label"] == "a-T2"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("PUT", "/model/t2_from_t1", 404),
        ("DELETE", "/model/t2_from_t1", 404),
        ("DELETE", "/datastore/image?id=a-T2", 404),
        ("PUT", "/session/", 404),
        ("GET", "/proxy/dicom/studies", 404),
        ("GET", "/datastore/image?image=../other/secret-T2", 403),
        ("PUT", f"/datastore/image?image={quote('../x', safe='')}", 403),
    ],
)
def test_what_reconstruction_does_not_need_is_not_served(server, method, path, status):
    assert detail(server.ask(method, path))[0] == status


def test_pages_of_other_sites_are_not_answered(server):
    assert detail(server.ask("GET", "/info/", Origin="http://example.org"))[0] == 403
    assert detail(server.ask("GET", "/info/", Host=f"example.org:{server.port}"))[0] == 403
    assert server.ask("GET", "/info/", Origin=server.url)[0] == 200


def test_slicers_own_client_gets_the_image_that_the_docs_show(server, expected):
    from monailabel.client import MONAILabelClient  # the class that Slicer's module has as MONAILabelLib

    file, told = MONAILabelClient(server.url).infer(
        "t2_from_t1", "a-T2", {"result_extension": ".nrrd", "result_dtype": "float32", **QUICK}
    )
    np.testing.assert_allclose(itk.array_from_image(itk.imread(file)).T, expected, atol=0.004)
    assert told["alignment"] and told["research"].endswith("not for clinical use")
    Path(file).unlink()


def test_the_uncertainty_is_a_second_image_that_slicers_client_gets_as_a_label(server):
    from monailabel.client import MONAILabelClient

    pair = server.studies / "T1" / "a-T1.nii.gz", server.studies / "a-T2.nii.gz"
    expected = reconstruct(*pair, device="cpu", save_uncertainty=True, **QUICK)
    client = MONAILabelClient(server.url)
    file, told = client.infer("t2_from_t1", "a-T2", {"save_uncertainty": True, **QUICK})
    np.testing.assert_allclose(nib.load(file).get_fdata(), expected.numpy(), atol=0.004)
    second = client.download_label(told["uncertainty"]["label"], told["uncertainty"]["tag"])
    np.testing.assert_allclose(nib.load(second).get_fdata(), expected.meta["uncertainty"].numpy(), atol=0.004)
    assert told["uncertainty"]["coverage"] == 0.9
    for one in (file, second, server.studies / "labels" / "uncertainty" / "a-T2.nii.gz"):
        Path(one).unlink()


def test_others_are_answered_and_told_of_the_progress_while_a_study_is_reconstructed(server):
    def lines() -> list[str]:
        return server.ask("GET", "/logs/?html=false&lines=1000")[1].decode().splitlines()

    before = len(lines())
    with ThreadPoolExecutor() as pool:
        slow = pool.submit(server.infer, "a-T2", image_size=256)
        while len(lines()) == before:
            time.sleep(0.1)
        assert server.ask("GET", "/info/")[0] == 200 and not slow.done()
        assert slow.result()[0] == 200
    said = [line[20:] for line in lines()[before:]]
    assert said[0] == "Reconstruction begins" and said[-2] == "all 6 slices reconstructed"
    assert said[-1].startswith("Reconstruction done after ")


def test_the_pair_of_the_study_that_is_shown_next_is_registered_ahead(server):
    for file in (server.work / "registrations").iterdir():
        file.unlink()
    assert json.loads(server.ask("POST", "/activelearning/first")[1])["id"] == "a-T2"
    while not list((server.work / "registrations").glob("*.json")):
        time.sleep(0.2)
    ahead = [*(server.work / "registrations").iterdir()]
    assert server.infer("a-T2", image_size=None, acceleration=None)[0] == 200  # as they are of a request without
    assert [*(server.work / "registrations").iterdir()] == ahead


def test_a_pair_that_was_registered_before_is_not_registered_again(server):
    server.infer("a-T2")
    files = sorted((server.work / "registrations").iterdir())
    server.infer("a-T2", t1="T1/a-T1.nii.gz")
    assert sorted((server.work / "registrations").iterdir()) == files and files
    assert all(file.stat().st_size < 2000 for file in files)  # numbers, no image


def test_training_on_studies_without_labels_is_served_next_and_leaves_the_shipped_weights(server, expected, tmp_path):
    shipped = own_path("models/model.pt").read_bytes()
    tiny = {"pretrained": False, "channels": 4, "image_size": 32, "max_epochs": 1}
    status, task = server.post("/train/t2_from_t1", tiny)
    assert status == 200 and task["status"] in ("SUBMITTED", "RUNNING")
    while (task := json.loads(server.ask("GET", "/train/")[1]))["status"] in ("SUBMITTED", "RUNNING"):
        time.sleep(1)
    assert task["status"] == "DONE", task
    told = json.loads(server.infer("a-T2", output="json")[1])["weights"]
    assert told["network"] == "MANet" and told["network_settings"]["channels"] == 4
    image = nib.load(saved(server.infer("a-T2"), tmp_path / "new.nii.gz")).get_fdata()
    assert np.abs(image - expected).max() > 1
    old = nib.load(saved(server.infer("a-T2", weights="shipped"), tmp_path / "old.nii.gz")).get_fdata()
    np.testing.assert_allclose(old, expected, atol=0.004)
    assert own_path("models/model.pt").read_bytes() == shipped


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"epochs": 1}, "There is no parameter epochs; there are "),
        ({"bundle_path": "x"}, "There is no parameter bundle_p"),
    ],
)
def test_a_training_takes_no_parameter_that_it_does_not_know(server, params, said):
    status, told = server.post("/train/t2_from_t1", params)
    assert status == 400 and said in told["detail"]


def test_a_training_that_is_refused_says_why(server):
    status, told = server.post("/train/t2_from_t1?run_sync=true", {"max_epochs": 0})
    assert status == 400 and told["detail"].startswith("epochs is a whole number from 1 on, not 0")


def test_sigterm_in_a_training_and_a_reconstruction_leaves_neither_files_nor_processes(server, tmp_path_factory):
    folder = tmp_path_factory.mktemp("ends")
    studies = shutil.copytree(server.studies, folder / "studies")
    ending = Server(folder, studies).wait()
    ending.post("/train/t2_from_t1", {"pretrained": False, "channels": 4, "image_size": 32, "max_epochs": 1000})
    while not ending.left():  # the training's aligned slices
        time.sleep(0.5)
    t1 = str(studies / "T1" / "a-T1.nii.gz")
    body, kind = form((studies / "a-T2.nii.gz").read_bytes(), t1=t1, image_size=1024)
    with ThreadPoolExecutor() as pool:
        slow = pool.submit(ending.ask, "POST", "/infer/t2_from_t1?output=image", body, Content_Type=kind)
        while b"Reconstruction begins" not in ending.ask("GET", "/logs/?html=false")[1]:
            time.sleep(0.2)
        assert any("requests" in name for name in ending.left())  # the patient's own file
        assert ending.end() == 143
        assert not isinstance(slow.exception(), AssertionError)
    assert list(ending.tmp.iterdir()) == []
    assert "in the middle of a reconstruction" in ending.log.read_text()

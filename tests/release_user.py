"""What users do with a release, in a process and a folder that know nothing of the repository.

    python -P tests/release_user.py NAME URL T1 T2 UNIT_TESTS

Each step's result, or its traceback, goes to results.json in the working folder.
"""

import json
import os
import sys
import traceback
import unittest
from pathlib import Path

import torch
from monai.bundle import ckpt_export, download, load, run, verify_net_in_out

NAME, URL, T1, T2, UNIT_TESTS = sys.argv[1:]
WORK = Path.cwd()
ROOT = WORK / "models" / NAME
NETWORK = {
    "net_id": "network_def",
    "config_file": str(ROOT / "configs" / "inference.json"),
    "meta_file": str(ROOT / "configs" / "metadata.json"),
}


def downloaded():
    download(name=NAME, url=URL, bundle_dir="models", progress=False)


def reconstructed():
    os.mkdir("empty")
    os.chdir("empty")
    run("inference", config_file=NETWORK["config_file"], t1=T1, t2=T2, output_dir="OUT")


def imported():
    """The release's own package, which the run has found."""
    os.chdir(WORK)
    return str(Path(sys.modules["bundle"].__file__).relative_to(ROOT))


def _loaded(**how):
    image = torch.randn(1, 4, 32, 48, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        return load(NAME, bundle_dir="models", device="cpu", **how).eval()(image).tolist()


def loaded():
    return _loaded()


def loaded_for_inference():
    return _loaded(workflow_type="inference")


def shape_verified():
    verify_net_in_out(device="cpu", **NETWORK)


def exported():
    ckpt_export(filepath="model.ts", ckpt_file=str(ROOT / "models" / "model.pt"), **NETWORK)
    torch.jit.load("model.ts")


def unit_tested():
    """Training and evaluation, inference, and the properties of each, as the zoo tests them from its own root."""
    sys.path.insert(0, UNIT_TESTS)
    result = unittest.TextTestRunner().run(unittest.TestLoader().loadTestsFromName(f"test_{NAME}"))
    assert result.testsRun == 2 and result.wasSuccessful(), [text for _, text in result.failures + result.errors]


STEPS = (
    downloaded,
    reconstructed,
    imported,
    loaded,
    loaded_for_inference,
    shape_verified,
    exported,
    unit_tested,
)

if __name__ == "__main__":
    results = {}
    for step in STEPS:
        try:
            results[step.__name__] = step()
        except BaseException:
            results[step.__name__] = traceback.format_exc()
    (WORK / "results.json").write_text(json.dumps(results))

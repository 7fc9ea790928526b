"""The Model Zoo's unit test of manet_mri_reconstruction: training, evaluation and inference run, on made-up heads.

It lies in ci/unit_tests of the zoo, and runs from the zoo's root, where models/manet_mri_reconstruction is the bundle:

    python ci/unit_tests/runner.py --b manet_mri_reconstruction
"""

import json
import os
import sys
import tempfile
import unittest

import nibabel as nib
import numpy as np
from monai.bundle import ConfigWorkflow

BUNDLE_ROOT = "models/manet_mri_reconstruction"
# a network and a matrix that train in a second
TINY = {"image_size": 32, "cascades": 1, "widths": [4, 8], "epochs": 1, "val_interval": 1, "num_workers": 0}
SPLITS = {"training": ["a"], "validation": ["c"], "test": ["d"]}


def head(contrast, seed):
    """An ellipsoid with ventricles and spots, float32, on a grid of 32 x 40 x 6 voxels of 4 x 4 x 8 mm."""
    x, y, z = np.meshgrid(np.arange(-62, 66, 4), np.arange(-78, 82, 4), np.arange(-24, 24, 8), indexing="ij")
    inside = (x / 52) ** 2 + (y / 66) ** 2 + (z / 60) ** 2 < 1
    ventricles = ((np.abs(x) - 10) / 6) ** 2 + (y / 22) ** 2 + (z / 25) ** 2 < 1
    spots = np.sin(x / 9 + seed) * np.cos(y / 11 - seed) * np.cos(z / 13)
    tissue, fluid, sign = (300, 80, -60) if contrast == "t1" else (150, 500, 60)
    return (inside * np.where(ventricles, fluid, tissue + sign * spots)).astype(np.float32)


def write_dataset(folder):
    """Write T1 and T2 of three subjects, and datalist.json."""
    datalist = {}
    for split, subjects in SPLITS.items():
        datalist[split] = [{"subject": subject} for subject in subjects]
        for item in datalist[split]:
            for contrast in ("t1", "t2"):
                item[contrast] = f"{item['subject']}_{contrast}.nii.gz"
                image = nib.Nifti1Image(head(contrast, ord(item["subject"])), np.diag([4.0, 4.0, 8.0, 1.0]))
                nib.save(image, os.path.join(folder, item[contrast]))
    with open(os.path.join(folder, "datalist.json"), "w") as file:
        json.dump(datalist, file)


def test_order(test_name1, test_name2):
    return ("train" in test_name2) - ("train" in test_name1)


class TestManetMriReconstruction(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.dataset_dir, self.output_dir = folder.name, os.path.join(folder.name, "out")
        write_dataset(self.dataset_dir)
        path = [*sys.path]
        self.addCleanup(lambda: sys.path.__setitem__(slice(None), path))
        sys.path.insert(0, os.path.abspath(BUNDLE_ROOT))

    def run_workflow(self, workflow_type, *names, **settings):
        configs = os.path.join(BUNDLE_ROOT, "configs")
        workflow = ConfigWorkflow(
            workflow_type=workflow_type,
            config_file=[os.path.join(configs, f"{name}.json") for name in names],
            logging_file=os.path.join(configs, "logging.conf"),
            meta_file=os.path.join(configs, "metadata.json"),
            bundle_root=BUNDLE_ROOT,
            dataset_dir=self.dataset_dir,
            output_dir=self.output_dir,
            **settings,
        )
        workflow.initialize()
        self.assertEqual(workflow.check_properties(), [])
        workflow.run()
        workflow.finalize()

    def outputs(self):
        return set(os.listdir(self.output_dir))

    def test_train_eval_config(self):
        self.run_workflow("train", "train", **TINY)
        self.assertLess({"model.pt", "last.pt"}, self.outputs())
        self.run_workflow("train", "train", "evaluate", **TINY)
        self.assertLess({"metrics.csv", "metrics_summary.json"}, self.outputs())

    def test_infer_config(self):
        self.run_workflow("infer", "inference", image_size=32)
        self.assertEqual(self.outputs(), {"d_recon.nii.gz", "d_recon.json"})


if __name__ == "__main__":
    unittest.main()

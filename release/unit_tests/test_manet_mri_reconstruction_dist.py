"""The Model Zoo's unit test of manet_mri_reconstruction in several processes: one a GPU, or two on the CPU.

It lies in ci/unit_tests of the zoo, and runs from the zoo's root:

    python ci/unit_tests/runner.py --b manet_mri_reconstruction --dist True
"""

import os
import subprocess
import sys
import tempfile
import unittest

import torch
from test_manet_mri_reconstruction import BUNDLE_ROOT, TINY, write_dataset


class TestManetMriReconstructionDist(unittest.TestCase):
    def test_train_mgpu_config(self):
        with tempfile.TemporaryDirectory() as folder:
            write_dataset(folder)
            configs = [f"{BUNDLE_ROOT}/configs/{name}.json" for name in ("train", "multi_gpu_train")]
            processes = f"--nproc_per_node={torch.cuda.device_count() or 2}"
            command = [sys.executable, "-m", "torch.distributed.run", "--standalone", processes]
            command += ["-m", "monai.bundle", "run", "--config_file", str(configs)]
            settings = {**TINY, "bundle_root": BUNDLE_ROOT, "dataset_dir": folder, "output_dir": f"{folder}/out"}
            for name, value in settings.items():
                command += [f"--{name}", str(value)]
            subprocess.check_call(command)
            self.assertLess({"model.pt", "last.pt"}, set(os.listdir(f"{folder}/out")))


if __name__ == "__main__":
    unittest.main()

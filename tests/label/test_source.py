"""What a server can serve: a folder that is there, or the address of a store without a password in it."""

from __future__ import annotations

import pytest

from bundle.errors import BundleError
from bundle.label.source import Source


def test_a_folder_confines_paths_and_a_store_has_none(tmp_path):
    folder, store = Source(str(tmp_path)), Source("http://127.0.0.1:8042/dicom-web/")
    folder.check()
    store.check()
    assert folder.folders == [tmp_path] and not folder.is_store and folder.parameters == ()
    assert store.folders == [] and store.is_store and "output_format" in store.parameters
    assert store.setting == "http://127.0.0.1:8042/dicom-web" and folder.setting == str(tmp_path.resolve())


def test_a_log_names_the_studies_or_the_store(tmp_path):
    (tmp_path / "a_T2.nii.gz").touch()
    assert Source(str(tmp_path)).told() == f"Studies in {tmp_path}: a_T2.nii.gz"
    assert Source("https://pacs/web").told() == "Studies in the DICOMweb store https://pacs/web"


@pytest.mark.parametrize("place", ["http://", "http://me:secret@pacs/web", "https://pacs/web?x=1", "http://a b/web"])
def test_what_is_no_address_is_refused(place):
    with pytest.raises(BundleError, match="is no address of a DICOMweb store, as http://127"):
        Source(place).check()


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(BundleError, match="does not exist; name one, or add --demo"):
        Source(str(tmp_path / "no")).check()

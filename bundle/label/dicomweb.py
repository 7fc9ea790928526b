"""A DICOMweb store as MONAI Label's datastore: its T2 series are the studies, and nothing of them stays here.

Queries, downloads and uploads are MONAI Label's and dicomweb-client's own. MONAI Label itself keeps what it downloads
in a cache, and tells of new series hours later.
"""

from __future__ import annotations

import functools
import logging
import os
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests
from dicomweb_client.session_utils import create_session, create_session_from_user_pass
from fastapi import HTTPException
from monailabel.config import settings
from monailabel.datastore.dicom import DICOMwebClientX, DICOMWebDatastore
from monailabel.datastore.utils.convert import dicom_to_nifti
from monailabel.datastore.utils.dicom import dicom_web_download_series

from ..data.dicom_folders import needed_pydicom
from ..errors import BundleError, first_bundle_error
from .recon_series import check_series_asked, check_series_possible, recon_folder
from .stored_series import FIELDS, StoredSeries, t1_of
from .told import told_to_the_client

__all__ = ["SeriesStore", "check_store"]

_UID = re.compile(r"(?=.{1,64}$)\d+(\.\d+)*")  # so no step up in a path
_LONGEST_WAIT = 60  # s, for a store to answer or to go on
_logger = logging.getLogger(__name__)


class SeriesStore(DICOMWebDatastore):
    """The series of a store that are a T2 by their descriptions; any other may be named by its UID.

    Args:
        url: of the store.
        cache: a folder for what MONAI Label notes of it; no image.

    Raises:
        BundleError: the store does not answer.
    """

    def __init__(self, url: str, cache: Path) -> None:
        super().__init__(_client(url), {**settings.MONAI_LABEL_DICOMWEB_SEARCH_FILTER, "Modality": "MR"}, str(cache))
        check_store(url)

    def list_images(self) -> list[str]:
        """UIDs of the T2 series that are in the store now."""
        return [one.uid for one in self._search(search_filters=self._search_filter) if one.contrast == "T2"]

    def get_labeled_images(self, label_tag: str | None = None, labels: list[str] | None = None) -> list[str]:
        """None: no series is one of labels here."""
        return []

    def get_unlabeled_images(self, label_tag: str | None = None, labels: list[str] | None = None) -> list[str]:
        """All."""
        return self.list_images()

    def get_image_info(self, image_id: str) -> dict[str, Any]:
        """What viewers show of a series."""
        with told_to_the_client():
            one = self._series(image_id)
        return {"SeriesInstanceUID": one.uid, "StudyInstanceUID": one.study, "description": one.description}

    def get_image_uri(self, image_id: str) -> str:
        """A series as a temporary NIfTI file, which goes when the request was answered."""
        with told_to_the_client(), tempfile.TemporaryDirectory(prefix="series-") as folder:
            return str(dicom_to_nifti(str(self._download(self._series(image_id), Path(folder)))))

    def add_image(self, image_id: str, image_filename: str, image_info: dict[str, Any]) -> str:
        """Refused: what comes into the store is the store's matter."""
        raise HTTPException(400, "This server's studies are a DICOMweb store's; upload series to the store itself.")

    def reconstruct(self, request: Mapping[str, Any], infer: Callable[..., Any]) -> dict[str, Any]:
        """A T2 series with the T1 of its study; both lie in a temporary folder meanwhile.

        Args:
            request: ``image`` is the T2's UID, ``t1`` may be the T1's number or UID; with ``output_format`` ``dicom``
                the reconstruction also goes into the store, as a series, of which ``params`` tells the UID.
            infer: MONAI Label's, of a folder each.

        Raises:
            BundleError: there is no such series, no T1 or several, or the store does not answer.
        """
        stored = check_series_asked(request)
        with tempfile.TemporaryDirectory(prefix="study-") as scratch, _without(scratch):
            t2 = self._series(request.get("image"))
            t1 = t1_of(t2, self._search(study_instance_uid=t2.study), request.get("t1"))
            _logger.info("T1 of %s: %s.", t2, t1)
            folders = {key: self._download(one, Path(scratch)) for key, one in (("t1", t1), ("image", t2))}
            if stored:
                check_series_possible(folders["t1"], folders["image"], request.get("t2_series"))
            paths = {key: str(folder) for key, folder in folders.items()}
            answer = infer({**request, **paths, "save_label": False}, self)
            answer["params"]["t1"] = t1.told()
            if stored:
                answer["params"]["series"] = self._store(recon_folder(folders["image"]))
        return dict(answer)

    def _series(self, uid: Any) -> StoredSeries:
        if not isinstance(uid, str) or not _UID.fullmatch(uid):
            raise BundleError("An image of a DICOMweb store is named by its SeriesInstanceUID; files are not taken.")
        found = [one for one in self._search(search_filters={"SeriesInstanceUID": uid}) if one.uid == uid]
        if not found:
            raise BundleError(f"There is no series {uid!r} in the DICOMweb store {self.name()}.")
        return found[0]

    def _search(self, **options: Any) -> list[StoredSeries]:
        with _answering(self.name()):
            listed = map(StoredSeries.listed, self._client.search_for_series(fields=FIELDS, **options))
            return [one for one in listed if _UID.fullmatch(one.uid)]

    def _download(self, series: StoredSeries, folder: Path) -> Path:
        with _answering(self.name()):
            dicom_web_download_series(series.study, series.uid, str(folder / series.uid), self._client)
        return folder / series.uid

    def _store(self, folder: Path) -> str:
        """Upload the images of a folder; returns the series' UID."""
        images = [needed_pydicom().dcmread(path) for path in sorted(folder.iterdir())]
        with _answering(self.name()):
            answer = self._client.store_instances(images)
        if failed := answer.get("FailedSOPSequence"):
            raise BundleError(f"The DICOMweb store {self.name()} did not take {len(failed)} of {len(images)} images.")
        return str(images[0].SeriesInstanceUID)


def check_store(url: str) -> None:
    """Refuse a store that does not answer a search.

    Raises:
        BundleError: with what it did instead.
    """
    with _answering(url):
        _client(url).search_for_series(limit=1)


def _client(url: str) -> DICOMwebClientX:
    user, password = settings.MONAI_LABEL_DICOMWEB_USERNAME, settings.MONAI_LABEL_DICOMWEB_PASSWORD
    session = create_session_from_user_pass(user, password) if user and password else create_session()
    session.request = functools.partial(session.request, timeout=_LONGEST_WAIT)
    prefixes = {name: getattr(settings, f"MONAI_LABEL_{name.upper()}_PREFIX") for name in ("qido", "wado", "stow")}
    client = DICOMwebClientX(url, session, **{f"{name}_url_prefix": prefix for name, prefix in prefixes.items()})
    client.set_http_retry_params(retry=False)
    return client


@contextmanager
def _answering(url: str) -> Iterator[None]:
    """Turn what can be amiss with a store into a sentence."""
    try:
        yield
    except requests.HTTPError as error:
        said = f"refuses ({error})"
    except ValueError:  # no JSON
        said = "answers what is no DICOMweb"
    except requests.RequestException as error:
        said = f"does not answer ({type(error).__name__})"
    else:
        return
    raise BundleError(f"The DICOMweb store {url} {said}; see whether it runs, and its address.")


@contextmanager
def _without(scratch: str) -> Iterator[None]:
    """Mistakes name series, not the temporary folder that they lie in."""
    try:
        yield
    except Exception as error:
        if sentence := first_bundle_error(error):
            raise BundleError(sentence.replace(scratch + os.sep, "")) from error
        raise

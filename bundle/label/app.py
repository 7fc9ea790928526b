"""The app that MONAI Label's server runs: reconstruction, training, and mistakes told to the client in one sentence."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from fastapi import HTTPException
from monailabel.config import settings
from monailabel.datastore.local import LocalDatastore
from monailabel.interfaces.app import MONAILabelApp
from monailabel.interfaces.tasks.batch_infer import BatchInferTask
from monailabel.tasks.activelearning.first import First
from monailabel.tasks.activelearning.random import Random

from ..errors import BundleError
from ..evaluation.volume_files import UNCERTAINTY
from ..settings import flag
from .confined import check_texts, confined_path
from .dicomweb import SeriesStore
from .infer import UNCERTAINTY_FILE, ReconstructionTask
from .places import Places
from .requests import check_names, scan_settings
from .source import Source
from .told import told_to_the_client
from .train import PairTraining

__all__ = ["MODEL", "ReconstructionApp"]

MODEL = "t2_from_t1"
_SUFFIXES = (".nii.gz", ".nii")


class ReconstructionApp(MONAILabelApp):
    """One model of type "others", which reconstructs the studies of a folder and is trained on them.

    Args:
        app_dir: the server's own folder.
        studies: folder of T2 files, with their T1 files beside them by name, or address of a DICOMweb store.
        conf: of the server: ``also``, further folders that requests may name, separated as in PATH.
    """

    def __init__(self, app_dir: str, studies: str, conf: dict[str, str]) -> None:
        self.places = Places.of_server()
        also = filter(None, (conf or {}).get("also", "").split(os.pathsep))
        self.source = Source(studies)
        self.folders = [*self.source.folders, *map(Path, also), self.places.scratch()]
        about = "T2-weighted MRI reconstructed from undersampled data, with the help of T1. Research only."
        super().__init__(app_dir, studies, conf, name="T1-guided reconstruction", description=about)

    def init_datastore(self) -> LocalDatastore:
        """The store, or the folder of studies; an upload replaces nothing."""
        if self.source.is_store:
            return SeriesStore(self.source.setting, self.places.store)
        options = {"extensions": [f"*{suffix}" for suffix in _SUFFIXES]}
        return Studies(self.studies, auto_reload=settings.MONAI_LABEL_DATASTORE_AUTO_RELOAD, **options)

    def init_infers(self) -> dict[str, Any]:
        """The one model."""
        return {MODEL: ReconstructionTask(self.places, self.conf)}

    def init_trainers(self) -> dict[str, Any]:
        """Of the same name."""
        return {MODEL: PairTraining(self.places, self.conf)}

    def init_strategies(self) -> dict[str, Any]:
        """Which study a client shows next."""
        return {"first": First(), "random": Random()}

    def init_batch_infer(self) -> BatchInferTask:
        """All studies, one after the other."""
        return EachByItself()

    def infer(self, request: Mapping[str, Any], datastore: Any = None) -> Any:
        """One study, by its id or path; see :class:`~bundle.label.infer.ReconstructionTask`."""
        with told_to_the_client():
            check_names(request, self.source.parameters)
            store = datastore or self.datastore()
            if isinstance(store, SeriesStore):
                check_texts(request, self.folders)
                if _with_uncertainty(request):
                    raise BundleError("With a DICOMweb store no uncertainty is kept; leave out save_uncertainty.")
                return store.reconstruct(request, super().infer)
            image = request.get("image")
            known = store.get_image_uri(image) if isinstance(image, str) else ""
            if not known and not (isinstance(image, str) and "/" in image):
                raise BundleError(_no_study(image, store.list_images(), self.source.folders))
            path = confined_path("The image", known or str(image), self.folders)
            check_texts({name: value for name, value in request.items() if name != "image"}, self.folders)
            with self._uncertainty_kept(request, image if known else None, store) as (target, more):
                asked = {**request, "image": image if known else str(path), UNCERTAINTY_FILE: target}
                answer = super().infer(asked, store)
            answer["params"].get(UNCERTAINTY, {}).update(more)
            return answer

    @contextmanager
    def _uncertainty_kept(
        self, request: Mapping[str, Any], study: str | None, store: Any
    ) -> Iterator[tuple[str, dict[str, str]]]:
        """Where to write the uncertainty, which is then a label of its study, and what names that; empty: nowhere."""
        if not _with_uncertainty(request):
            yield "", {}
            return
        if study is None:
            raise BundleError(
                "An uncertainty is kept beside its study, so name a study of the folder, or upload T2 as one first "
                "(PUT /datastore/image); or leave out save_uncertainty."
            )
        with TemporaryDirectory(dir=self.places.scratch()) as folder:
            file = Path(folder) / f"uncertainty{_SUFFIXES[0]}"
            yield str(file), {"label": study, "tag": UNCERTAINTY}
            store.save_label(study, str(file), UNCERTAINTY, {"model": MODEL})

    def next_sample(self, request: Mapping[str, Any]) -> Any:
        """The study that a client shows next; its pair is registered meanwhile."""
        chosen = super().next_sample(request)
        if chosen and not self.source.is_store:
            self._infers[MODEL].register_ahead(chosen["path"])
        return chosen

    def batch_infer(self, request: dict[str, Any], datastore: Any = None) -> Any:
        """Every study; a mistake in one is told in its place."""
        asked = {name: value for name, value in request.items() if name != "bundle_path"}  # which MONAI Label adds
        with told_to_the_client():
            if self.source.is_store and asked.get("output_format") != "dicom":
                raise BundleError(
                    "Of a DICOMweb store a batch writes series into it; ask for that by output_format dicom."
                )
            return super().batch_infer(asked, datastore)

    def train(self, request: Mapping[str, Any]) -> Any:
        """On all pairs of the folder; see :class:`~bundle.label.train.PairTraining`."""
        with told_to_the_client():
            if self.source.is_store:
                raise BundleError("A training needs a folder of NIfTI files; start the server on one.")
            return super().train(request)


class Studies(LocalDatastore):
    """A folder of NIfTI files."""

    def add_image(self, image_id: str, image_filename: str, image_info: dict[str, Any]) -> str:
        """Copy an upload into the folder.

        Raises:
            HTTPException: there is such a study already, or the file is no NIfTI file by its name.
        """
        suffix = next((one for one in _SUFFIXES if image_filename.lower().endswith(one)), None)
        if suffix is None or not image_id or image_id.startswith("."):
            raise HTTPException(400, "A study is a file .nii.gz or .nii, uploaded under a name of its own.")
        if self.get_image_uri(image_id):
            raise HTTPException(409, f"There is a study {image_id!r} already; upload under another name.")
        return str(super().add_image(image_id, image_filename, image_info))


class EachByItself(BatchInferTask):
    """A batch in which one study's mistake does not end the others'; on machines without a GPU, too."""

    def __call__(self, request: dict[str, Any], datastore: Any, infer: Callable[..., Any]) -> Any:
        """Study -> what :meth:`ReconstructionApp.infer` gives, or ``error``, a sentence."""

        def one(study: dict[str, Any], store: Any) -> dict[str, Any]:
            try:
                return dict(infer(study, store))
            except HTTPException as error:
                return {"error": error.detail}

        several = bool(request.get("multi_gpu", True)) and torch.cuda.is_available()
        return super().__call__({**request, "multi_gpu": several}, datastore, one)


def _with_uncertainty(request: Mapping[str, Any]) -> bool:
    return flag("save_uncertainty", scan_settings(request).get("save_uncertainty", False))


def _no_study(image: Any, known: list[str], folders: list[Path]) -> str:
    """The sentence for a study that is not there, or lies there in another format."""
    others = [
        path.name
        for folder in folders
        for path in folder.iterdir()
        if path.is_file() and path.name.startswith(f"{image}.")
    ]
    if others:
        return f"{others[0]} is no NIfTI file, and this server reads no others; save it as {image}{_SUFFIXES[0]}."
    return f"There is no study {image!r}; there are {', '.join(sorted(known))}."

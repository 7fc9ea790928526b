"""What a server serves: a folder of studies, or a DICOMweb store by its address."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from ..data.nifti_files import some
from ..errors import BundleError
from ..paths import expanded

__all__ = ["IN_SERIES", "Source"]

IN_SERIES = ("output_format", "t1_series", "t2_series")  # what may be asked where images are DICOM series
_ADDRESS = re.compile(r"https?://[^/@\s]+(/[\w./~-]*)?", re.IGNORECASE)


@dataclass(frozen=True)
class Source:
    """A folder or a store.

    Attributes:
        place: as the operator named it.
    """

    place: str

    @property
    def is_store(self) -> bool:
        """Whether it is a store, by its form."""
        return self.place.lower().startswith(("http://", "https://"))

    @property
    def folders(self) -> list[Path]:
        """The folder, in which the paths of requests lie; none of a store."""
        return [] if self.is_store else [expanded(self.place)]

    @property
    def setting(self) -> str:
        """As MONAI Label wants it."""
        return self.place.rstrip("/") if self.is_store else str(self.folders[0].resolve())

    @property
    def parameters(self) -> tuple[str, ...]:
        """What a request may hold beside what it always may."""
        return IN_SERIES if self.is_store else ()

    def check(self) -> None:
        """Refuse what can be no source.

        Raises:
            BundleError: the folder does not exist, or the address is none, or holds a password.
        """
        if self.is_store and not _ADDRESS.fullmatch(self.place):
            raise BundleError(
                f"{self.place} is no address of a DICOMweb store, as http://127.0.0.1:8042/dicom-web; user and "
                "password go into MONAI_LABEL_DICOMWEB_USERNAME and MONAI_LABEL_DICOMWEB_PASSWORD."
            )
        for folder in self.folders:
            if not folder.is_dir():
                raise BundleError(
                    f"The folder of studies {folder} does not exist; name one, or add --demo to make one."
                )

    def told(self) -> str:
        """For the log."""
        if self.is_store:
            return f"Studies in the DICOMweb store {self.place}"
        names = sorted(path.name for path in self.folders[0].glob("*.nii*"))
        return f"Studies in {self.folders[0]}: {some(names)}"

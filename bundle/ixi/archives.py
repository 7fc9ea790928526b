"""IXI's two archives: downloaded, their checksums recorded and compared, unpacked."""

from __future__ import annotations

import hashlib
import logging
import tarfile
from pathlib import Path

from ..console import progress_bar
from ..data.nifti_files import some
from ..errors import BundleError
from ..outputs import atomic_folder, check_writable, write_text
from .disk_space import check_room, gigabytes
from .download import fetch, look_up, part_of

__all__ = ["CHECKSUMS", "SOURCE", "download_archives", "unpack_archives"]

SOURCE = "http://biomedic.doc.ic.ac.uk/brain-development/downloads/IXI"
CHECKSUMS = "checksums.sha256"  # as sha256sum -c reads it
_CONTRASTS = ("T1", "T2")
# MD5 that TorchIO compares what it fetches from SOURCE with
_KNOWN = {"IXI-T1.tar": "34901a0593b41dd19c1a1f746eac2d58", "IXI-T2.tar": "e3140d78730ecdd32ba92da48c0a9aaa"}
_ZEROS = bytes(512)  # a block of them ends an archive
_logger = logging.getLogger(__name__)


def download_archives(folder: Path, source: str = SOURCE) -> None:
    """Fetch the archives that are neither in the folder nor unpacked there, and record their checksums.

    Args:
        folder: made if need be.
        source: address of the folder on the server.

    Raises:
        BundleError: an archive cannot be had or does not fit, with what is unpacked, on the disk; or the one that was
            fetched has another checksum than was recorded.
    """
    check_writable(folder, "The folder for IXI", "another DIR")
    wanted = [path for path in map(folder.joinpath, map(_archive, _CONTRASTS)) if not _is_had(path)]
    remotes = {path: look_up(f"{source.rstrip('/')}/{path.name}") for path in wanted}
    if not remotes:
        _logger.info("Nothing to download: %s holds both archives, or what was in them", folder)
        return
    sizes = ", ".join(f"{path.name} {gigabytes(remote.size)}" for path, remote in remotes.items())
    begun = sum(part.stat().st_size for part in map(part_of, remotes) if part.exists())
    needed = sum(2 * remote.size for remote in remotes.values()) - begun  # packed, and unpacked
    _logger.info(check_room(folder, needed, f"Downloading {sizes}: with what is unpacked they take"))
    folder.mkdir(parents=True, exist_ok=True)
    for path, remote in remotes.items():
        fetch(remote, path)
        _check(path, record=True)
        if source == SOURCE and _digest(path, "md5") != _KNOWN[path.name]:
            _logger.warning("%s is not the file that TorchIO knows (MD5 %s): renewed since", path, _KNOWN[path.name])


def unpack_archives(folder: Path) -> None:
    """Unpack the archives of a folder into ``IXI-T1`` and ``IXI-T2``; one whose images are there stays packed.

    What of an archive is not among the unpacked images is told in a line.

    Raises:
        BundleError: an archive is cut short, damaged, or has another checksum than was recorded; it does not fit on
            the disk; or something else lies where it is to be unpacked.
    """
    for path in map(folder.joinpath, map(_archive, _CONTRASTS)):
        if not path.is_file():
            continue
        if _is_unpacked(path):
            _tell_missing(path)
        else:
            _check_free(path.with_suffix(""), path)
            _check(path, record=False)
            _logger.info(check_room(folder, path.stat().st_size, f"Unpacking {path.name}: it takes"))
            _unpack(path)


def _archive(contrast: str) -> str:
    return f"IXI-{contrast}.tar"


def _is_had(archive: Path) -> bool:
    return archive.is_file() or _is_unpacked(archive)


def _is_unpacked(archive: Path) -> bool:
    """Whether there is any image of the archive's contrast below its folder."""
    return bool(_unpacked(archive))


def _unpacked(archive: Path) -> set[str]:
    """Names of the images of the archive's contrast below its folder, without ``.gz``."""
    contrast = archive.stem.rpartition("-")[2]
    found = archive.parent.rglob(f"IXI*-{contrast}.nii*")
    whole = (path for path in found if not path.relative_to(archive.parent).parts[0].startswith("."))
    return {path.name.removesuffix(".gz") for path in whole}


def _tell_missing(archive: Path) -> None:
    """A line on images of an archive that are not unpacked, though others are."""
    try:
        with tarfile.open(archive, "r:") as tar:
            images = (Path(member.name).name.removesuffix(".gz") for member in tar if member.isfile())
            names = {name for name in images if name.endswith(".nii")}
    except (tarfile.TarError, EOFError):  # what was unpacked is taken, whatever became of the archive
        return
    if missing := sorted(names - _unpacked(archive)):
        _logger.warning(
            "%s holds %d images, of which %d are not unpacked (%s); move the unpacked ones away to have all of them",
            archive,
            len(names),
            len(missing),
            some(missing),
        )


def _check_free(folder: Path, archive: Path) -> None:
    """Refuse to unpack where a person has put something else."""
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
        raise BundleError(
            f"{folder} is there and has no images of {archive.stem}, so that {archive.name} cannot be unpacked there; "
            "move it away."
        )


def _unpack(archive: Path) -> None:
    """Plain files only, none outside the folder, which has its name when all are in it."""
    skipped = []
    try:
        with tarfile.open(archive, "r:") as tar, atomic_folder(archive.with_suffix("")) as draft:
            for member in progress_bar(tar, desc=f"Unpacking {archive.name}", unit="file"):
                if member.isfile():
                    tar.extract(member, draft, filter="data")
                elif not member.isdir():
                    skipped.append(member.name)
            _check_end(tar)
    except (tarfile.TarError, EOFError) as error:
        raise BundleError(
            f"{archive} is damaged, or no archive of IXI ({error}); delete it and have it downloaded again."
        ) from error
    if skipped:
        _logger.warning("%s: not unpacked, as they are no plain files: %s", archive, ", ".join(skipped))


def _check_end(tar: tarfile.TarFile) -> None:
    """tarfile stops without a word at a damaged header; an archive that is whole ends with zeros."""
    file = tar.fileobj
    assert file is not None
    file.seek(tar.offset)
    if file.read(len(_ZEROS)) != _ZEROS:
        raise tarfile.ReadError(f"it breaks off after {len(tar.getmembers())} files")


def _check(archive: Path, record: bool) -> None:
    """Compare an archive's checksum with the recorded one; where there is none, record it if asked to."""
    path = archive.parent / CHECKSUMS
    try:
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    except ValueError as error:
        raise BundleError(f"{path} is no list of checksums in UTF-8; move it away.") from error
    recorded = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    if not record and archive.name not in recorded:
        return
    digest = _digest(archive, "sha256")
    known = recorded.setdefault(archive.name, digest)
    if known != digest:
        raise BundleError(
            f"{archive} has the SHA-256 {digest[:12]}..., and {path} has recorded {known[:12]}...; delete the archive "
            "if it is damaged, or its line in that file if it was renewed."
        )
    if len(recorded) > len(lines):
        write_text(path, "".join(f"{digest}  {name}\n" for name, digest in sorted(recorded.items())))


def _digest(path: Path, kind: str) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, kind).hexdigest()

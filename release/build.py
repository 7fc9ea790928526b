"""Write a release: the bundle as the Model Zoo has it, in a zip with the same bytes at each run (docs/release.md).

    python -m release.build --output dist [--large_files URL]

The folder in the zip has single JSON configs; the package in it brings the YAML, as in a wheel, for the commands that
add overlays to it (``python -m bundle study``). Beside the zip lie the unit tests, which the zoo keeps in
``ci/unit_tests/``.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import re
import sys
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from monai.bundle import ConfigParser

from bundle.errors import BundleError
from bundle.outputs import write_whole

NAME = "manet_mri_reconstruction"
ROOT = Path(__file__).resolve().parent.parent
METADATA = ROOT / "configs" / "metadata.json"
UNIT_TESTS = ROOT / "release" / "unit_tests"

# JSON -> the YAML it is made of. train.json trains what models/model.pt is: monai.bundle.load puts these weights into
# its network_def, and would leave another network's untouched without a word. A single file may be an overlay.
CONFIGS = {
    "train": ["train", "experiments/unrolled"],
    "evaluate": ["evaluate"],
    "inference": ["inference"],
    "multi_gpu_train": ["multi_gpu"],
}
# copied as they are: folder, patterns, folder in the zip
COPIED = (
    ("bundle", ("*.py", "*.j2", "py.typed"), "bundle"),
    ("configs", ("*.yaml", "*.conf"), "bundle/shipped/configs"),
    ("models", ("*.pt",), "models"),
    ("docs", ("*.md", "*.png", "data_license.txt"), "docs"),
)
LARGE = 1024 * 1024  # bytes; the zoo's pre-commit holds back what is larger, its releases have it

_TIME = (1980, 1, 1, 0, 0, 0)  # the first that a zip can tell
_READABLE, _UNIX = 0o100644 << 16, 3  # permissions, and the system that they are of
_COMMANDS = re.compile(r"^```sh\n.*?^```$", re.MULTILINE | re.DOTALL)
_NAMES = {f"configs/{files[0]}.yaml": f"configs/{name}.json" for name, files in CONFIGS.items()}


def config(name: str) -> dict[str, Any]:
    """One of :data:`CONFIGS`, merged as MONAI does on its command line; ids and references stay unresolved."""
    files = [str(ROOT / "configs" / f"{part}.yaml") for part in CONFIGS[name]]
    return ConfigParser.load_config_file(files[0]) if len(files) == 1 else ConfigParser.load_config_files(files)


def contents(large_files: str | None = None) -> dict[str, bytes]:
    """All files of the bundle's folder by their path in it.

    Args:
        large_files: where files above :data:`LARGE` can be downloaded, for ``large_files.yml``; None: none is written.
    """
    found = {target: path.read_bytes() for target, path in _copied()}
    found |= {f"configs/{name}.json": _as_json(config(name)) for name in CONFIGS}
    for path in (METADATA, *sorted((ROOT / "models").glob("*.json"))):
        found[path.relative_to(ROOT).as_posix()] = _as_json(json.loads(path.read_text("utf-8")))
    found["bundle/shipped/configs/metadata.json"] = found["configs/metadata.json"]
    found["configs/logging.conf"] = found["bundle/shipped/configs/logging.conf"]
    found["docs/README.md"] = _COMMANDS.sub(_with_json, found["docs/README.md"].decode()).encode()
    found["LICENSE"] = (ROOT / "LICENSE").read_bytes()
    if large_files:
        found["large_files.yml"] = _large_files(found, large_files.rstrip("/"))
    return found


def zipped(files: Mapping[str, bytes]) -> bytes:
    """A zip with the bundle's folder; its bytes follow from names and contents alone."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:  # stored: a compressor's bytes hang on its version
        for name in sorted(files):
            entry = zipfile.ZipInfo(f"{NAME}/{name}", _TIME)
            entry.external_attr, entry.create_system = _READABLE, _UNIX
            archive.writestr(entry, files[name])
    return buffer.getvalue()


def build(output: Path, large_files: str | None = None) -> Path:
    """Write the zip, named with the version of ``configs/metadata.json``, and the unit tests beside it.

    Args:
        output: folder; files of these names in it are replaced.
        large_files: as in :func:`contents`.

    Returns:
        The zip.

    Raises:
        BundleError: a file cannot be written.
    """
    path = output / f"{NAME}_v{json.loads(METADATA.read_text('utf-8'))['version']}.zip"
    write_whole(path, zipped(contents(large_files)))
    for test in sorted(UNIT_TESTS.glob("test_*.py")):
        write_whole(output / test.name, test.read_bytes())
    return path


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m release.build", description="Write the Model Zoo's release.")
    parser.add_argument("--output", type=Path, default=ROOT / "dist", metavar="DIR", help="folder (default: dist)")
    parser.add_argument(
        "--large_files", metavar="URL", help="folder of the web that will hold the weights: adds large_files.yml"
    )
    options = parser.parse_args(arguments)
    try:
        path = build(options.output, options.large_files)
    except BundleError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    print(f"{path}  SHA-256 {hashlib.sha256(path.read_bytes()).hexdigest()}")
    return 0


def _copied() -> Iterator[tuple[str, Path]]:
    for folder, patterns, target in COPIED:
        for path in (path for pattern in patterns for path in (ROOT / folder).rglob(pattern)):
            yield f"{target}/{path.relative_to(ROOT / folder).as_posix()}", path


def _as_json(content: Any) -> bytes:
    """As the zoo's pre-commit writes it: indented by four, in ASCII, with a line's end at the end."""
    return (json.dumps(content, indent=4) + "\n").encode()


def _with_json(commands: re.Match[str]) -> str:
    """Commands with the names that the configs have here."""
    text = commands[0]
    for yaml, name in _NAMES.items():
        text = text.replace(yaml, name)
    return text


def _large_files(files: Mapping[str, bytes], url: str) -> bytes:
    lines = ["large_files:"]
    for name in sorted(name for name, content in files.items() if len(content) > LARGE):
        lines += [f'- path: "{name}"', f'  url: "{url}/{Path(name).name}"']
        lines += [f'  hash_val: "{hashlib.sha256(files[name]).hexdigest()}"', '  hash_type: "sha256"']
    return ("\n".join(lines) + "\n").encode()


if __name__ == "__main__":
    raise SystemExit(main())

"""Pairs are prepared once, kept by what they depend on, and read slice by slice."""

from __future__ import annotations

import os
import pickle
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import torch
from monai.transforms import Compose

from bundle.data import cache_entry
from bundle.data.alignment import RigidAlignmentd
from bundle.data.prepared import PreparedVolumes
from bundle.data.reading import ReadVolumed
from bundle.data.slices import Geometry
from bundle.data.to_slices import VolumeToSlicesd
from bundle.errors import BundleError
from tests.nifti_pairs import write_pair

SLICES = 3


class Counted:
    """A preprocessing that counts its calls, in the class, as an object's pickle is part of the key."""

    calls = 0

    def __init__(self, image_size: int = 32) -> None:
        self.image_size = image_size

    def __call__(self, item: dict) -> dict:
        type(self).calls += 1
        generator = torch.Generator().manual_seed(len(item["subject"]))
        size = (SLICES, self.image_size, self.image_size)
        t1, t2 = (100 * torch.rand(size, generator=generator) for _ in range(2))
        t2[0] = 0
        geometry = Geometry.of(np.diag([1.0, 1, 4, 1]), (self.image_size, self.image_size, SLICES), self.image_size)
        return {"t1": t1, "t2": t2, "geometry": geometry, "alignment": {"distance_mm": 1.5}}


@pytest.fixture(autouse=True)
def reset(monkeypatch):
    monkeypatch.setattr(Counted, "calls", 0)


@pytest.fixture
def items(tmp_path: Path) -> list[dict]:
    """Two pairs of files, of which only paths, sizes and times matter here."""
    for name in ("a-t1", "a-t2", "b-t1", "b-t2"):
        (tmp_path / f"{name}.nii").write_text(name)
    return [{"subject": s, "t1": str(tmp_path / f"{s}-t1.nii"), "t2": str(tmp_path / f"{s}-t2.nii")} for s in "ab"]


def test_preprocessing_runs_once_and_gives_the_same_volumes_again(items, tmp_path):
    first = PreparedVolumes(items, Counted(), tmp_path / "cache")
    again = PreparedVolumes(items, Counted(), tmp_path / "cache")
    assert Counted.calls == 2 and list(first) == list(again) and len(again) == 2
    expected = Counted()(items[0])
    for ours, theirs in zip(again[0].slices(), (expected["t1"], expected["t2"])):
        assert torch.equal(ours, theirs)
    assert again[0].geometry == expected["geometry"] and again[0].alignment == expected["alignment"]
    assert [volume.name for volume in again] == ["a", "b"]


@pytest.mark.parametrize("change", ["content", "time"])
@pytest.mark.parametrize("contrast", ["t1", "t2"])
def test_changed_file_is_prepared_anew_and_others_are_not(items, tmp_path, contrast, change):
    PreparedVolumes(items, Counted(), tmp_path / "cache")
    path = Path(items[1][contrast])
    if change == "content":
        path.write_text("another length")
    else:
        os.utime(path, ns=(0, path.stat().st_mtime_ns + 1_000_000))
    PreparedVolumes(items, Counted(), tmp_path / "cache")
    assert Counted.calls == 3


def test_another_setting_of_the_preprocessing_is_another_entry_and_both_stay(items, tmp_path):
    for size in (32, 48, 32, 48):
        volumes = PreparedVolumes(items, Counted(size), tmp_path / "cache")
        assert volumes[0].geometry.matrix == (size, size)
    assert Counted.calls == 4


def test_cache_serves_another_process_whatever_its_random_state(items, tmp_path):
    # a Compose draws a random state when it is made, which must not count as a setting
    for _ in range(2):
        PreparedVolumes(items, Compose([Counted()]), tmp_path / "cache")
    assert Counted.calls == 2
    PreparedVolumes(items, Compose([Counted(48)]), tmp_path / "cache")
    assert Counted.calls == 4


def test_settings_of_every_transform_within_a_compose_count(tmp_path):
    t1, t2 = write_pair(tmp_path, "a")
    for size, number in ((32, 1), (48, 2), (32, 2)):
        steps = [ReadVolumed(), RigidAlignmentd(levels=0), VolumeToSlicesd(image_size=size)]
        (volume,) = PreparedVolumes([{"subject": "a", "t1": t1, "t2": t2}], Compose(steps), tmp_path / "cache")
        assert volume.geometry.matrix == (size, size)
        assert len(list((tmp_path / "cache").glob("*.json"))) == number


def test_a_volume_knows_its_session_its_files_and_how_t1_was_aligned(items, tmp_path):
    with_session, without = PreparedVolumes([items[0] | {"session": "ses-1"}, items[1]], Counted(), tmp_path / "cache")
    assert (with_session.name, with_session.subject, with_session.session) == ("a_ses-1", "a", "ses-1")
    assert without.session is None
    assert without.files == {"t1": items[1]["t1"], "t2": items[1]["t2"]}
    assert without.alignment == {"distance_mm": 1.5}


def test_same_subject_of_two_sessions_is_two_volumes(items, tmp_path):
    sessions = [items[0] | {"session": session} for session in ("one", "two")]
    volumes = PreparedVolumes(sessions, Counted(), tmp_path / "cache")
    assert [volume.name for volume in volumes] == ["a_one", "a_two"] and {volume.subject for volume in volumes} == {"a"}
    assert volumes[0].path != volumes[1].path


@pytest.mark.parametrize("step", ["save", "write_text"])
def test_interrupted_write_leaves_nothing_that_could_be_taken_for_a_pair(items, tmp_path, monkeypatch, step):
    with monkeypatch.context() as patch:
        owner = np if step == "save" else Path

        def interrupted(path, *_, **__):
            Path(path).touch()
            raise KeyboardInterrupt

        patch.setattr(owner, step, interrupted)
        with pytest.raises(KeyboardInterrupt):
            PreparedVolumes(items, Counted(), tmp_path / "cache")
    left = [path.name for path in (tmp_path / "cache").iterdir()]
    assert [name for name in left if name.endswith(".json") or name.startswith(".")] == []
    volumes = PreparedVolumes(items, Counted(), tmp_path / "cache")
    assert Counted.calls == 3 and volumes[0].slices()[0].shape == (SLICES, 32, 32)


def put_zeros(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:128] + bytes(path.stat().st_size - 128))


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def touch(path: Path) -> None:
    if path.exists():
        os.utime(path, ns=(0, path.stat().st_mtime_ns + 1_000_000))


@pytest.mark.parametrize("suffix", [".npy", ".json"])
@pytest.mark.parametrize(
    "damage",
    [
        Path.unlink,
        put_zeros,
        flip_a_bit,
        lambda path: path.write_bytes(b""),
        lambda path: os.truncate(path, path.stat().st_size // 2),
        lambda path: path.write_bytes(path.read_bytes() + b"more"),
        lambda path: path.write_text("{}"),
        lambda path: path.write_bytes(b"\xff\xfe"),
    ],
)
def test_damaged_entry_is_prepared_anew_with_a_line_and_is_sound_then(items, tmp_path, caplog, suffix, damage):
    before = PreparedVolumes(items, Counted(), tmp_path / "cache")
    damage(before[0].path.with_suffix(suffix))
    touch(before[0].path)  # some file systems' clocks go by 4 ms
    after = PreparedVolumes(items, Counted(), tmp_path / "cache")
    assert Counted.calls == 3 and list(after) == list(before)
    assert torch.equal(after[0].slices()[1], Counted()(items[0])["t2"])
    told = [record.getMessage() for record in caplog.records]
    if (suffix, damage) != (".json", Path.unlink):  # an entry without an index is one that was never finished
        assert len(told) == 1 and str(before[0].path) in told[0] and "read and aligned anew" in told[0]
    caplog.clear()
    PreparedVolumes(items, Counted(), tmp_path / "cache")
    assert Counted.calls == 4 and not caplog.records  # one of them by this test


def test_slices_as_they_were_written_are_not_read_to_the_end_and_copied_ones_are(items, tmp_path, monkeypatch):
    (volume, _) = PreparedVolumes(items, Counted(), tmp_path / "cache")
    whole, checksum = [], cache_entry._checksum_of_file
    monkeypatch.setattr(cache_entry, "_checksum_of_file", lambda path: whole.append(path) or checksum(path))
    PreparedVolumes(items, Counted(), tmp_path / "cache")
    assert whole == []  # 577 subjects are 30 GB
    touch(volume.path)
    PreparedVolumes(items, Counted(), tmp_path / "cache")
    assert whole == [volume.path] and Counted.calls == 2


def test_disk_that_fills_is_told_and_leaves_no_part_of_an_entry(items, tmp_path, monkeypatch):
    def fill(path: Path, slices: np.ndarray) -> None:
        path.touch()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "save", fill)
    with pytest.raises(BundleError, match="Cannot write .*npy: No space .* MB are free .*make room"):
        PreparedVolumes(items, Counted(), tmp_path / "cache")
    assert not list((tmp_path / "cache").iterdir())


def test_entry_of_a_very_long_name_can_be_written(items, tmp_path):
    (volume,) = PreparedVolumes([items[0] | {"subject": "é" * 200}], Counted(), tmp_path / "cache")
    assert volume.name == "é" * 200 and len(os.fsencode(volume.path.name)) < 200


@pytest.mark.parametrize("below", ["", "cache"])
def test_cache_folder_that_cannot_be_written_is_refused_in_one_sentence(items, tmp_path, below):
    occupied = tmp_path / "file"
    occupied.write_text("")
    with pytest.raises(BundleError, match="^The prepared slices' folder .* cannot be written.*give another") as error:
        PreparedVolumes(items, Counted(), occupied / below)
    assert Counted.calls == 0
    assert "\n" not in str(error.value) and str(occupied) in str(error.value)


def test_refusal_of_the_preprocessing_passes_and_leaves_no_entry(items, tmp_path, monkeypatch):
    def refuse(self, item):
        raise BundleError(f"{item['t1']} holds NaN.")

    monkeypatch.setattr(Counted, "__call__", refuse)
    with pytest.raises(BundleError, match="a-t1.nii holds NaN"):
        PreparedVolumes(items, Counted(), tmp_path / "cache")
    assert not list((tmp_path / "cache").glob("*"))


def test_one_slice_of_a_volume_is_that_of_the_whole_volume(make_volumes):
    volume = make_volumes(count=1)[0]
    t1, t2 = volume.slices()
    for index in range(len(volume)):
        one_t1, one_t2 = volume.slices(index)
        assert torch.equal(one_t1, t1[index]) and torch.equal(one_t2, t2[index])
    assert torch.equal(volume.slices(-1)[0], t1[-1]) and torch.equal(volume.slices(slice(1, 3))[1], t2[1:3])


def test_reading_one_slice_takes_the_memory_of_one_slice(make_volumes):
    volume = make_volumes(count=1, slices=40, height=64, width=64)[0]
    tracemalloc.start()
    volume.slices(20)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4 * (2 * 64 * 64 * 4) < volume.path.stat().st_size


def test_read_slice_can_be_changed_without_changing_the_file(items, tmp_path):
    volume = PreparedVolumes(items, Counted(), tmp_path / "cache")[0]
    before = volume.slices(1)[1].clone()
    volume.slices(1)[1].zero_()
    assert torch.equal(volume.slices(1)[1], before)


def test_foreground_is_the_share_of_voxels_above_a_tenth_of_the_volumes_99th_percentile(items, tmp_path):
    volume = PreparedVolumes(items, Counted(), tmp_path / "cache")[0]
    t2 = volume.slices()[1].numpy()
    expected = (t2 > 0.1 * np.percentile(t2, 99)).mean(axis=(1, 2))
    assert len(volume) == SLICES and volume.foreground == pytest.approx(expected) and volume.foreground[0] == 0


def test_volumes_travel_to_worker_processes(make_volumes):
    volumes = make_volumes(count=2)
    copy = pickle.loads(pickle.dumps(volumes))
    assert list(copy) == list(volumes) and torch.equal(copy[1].slices(0)[1], volumes[1].slices(0)[1])

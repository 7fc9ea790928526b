"""What an executor is given to prepare: each missing pair once, by workers that share nothing, or one sentence."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import get_ident

import pytest
import torch

from bundle.data.prepared import PreparedVolumes
from bundle.data.spread import spread_over
from bundle.errors import BundleError
from tests.conftest import SyntheticPreprocessing

ITEMS = [{"subject": f"s{number}", "t1": f"{number}-1.nii", "t2": f"{number}-2.nii"} for number in range(4)]


class Told(SyntheticPreprocessing):
    """A preprocessing that tells which thread and which object did what; told in the class, no part of the key."""

    by: list[tuple[str, int, int]] = []

    def __init__(self) -> None:
        super().__init__(2, 16, 16)

    def __call__(self, item: dict) -> dict:
        self.by.append((item["subject"], get_ident(), id(self)))
        return super().__call__(item)


@pytest.fixture(autouse=True)
def _forget(monkeypatch):
    monkeypatch.setattr(Told, "by", [])


def prepared(cache: Path, items=ITEMS):
    return PreparedVolumes(items, Told(), cache)


def test_workers_prepare_what_is_missing_and_the_cache_is_what_a_loop_makes(tmp_path):
    expected = prepared(tmp_path / "loop")
    prepared(tmp_path / "spread", ITEMS[:1])
    Told.by.clear()
    with ThreadPoolExecutor(2) as executor, spread_over(executor):
        found = prepared(tmp_path / "spread")
    assert sorted(subject for subject, *_ in Told.by) == ["s1", "s2", "s3"]
    assert get_ident() not in {thread for _, thread, _ in Told.by}
    assert len({one for *_, one in Told.by}) == 3  # a scan's random state is its own
    for ours, theirs in zip(found, expected, strict=True):
        assert torch.equal(ours.slices()[1], theirs.slices()[1]) and ours.foreground == theirs.foreground
    Told.by.clear()
    prepared(tmp_path / "spread", ITEMS)
    assert Told.by == []


def refuse(self, item):
    raise BundleError(f"{item['t1']} holds NaN.")


def die(self, item):
    raise MemoryError("no memory\nleft")


@pytest.mark.parametrize(
    ("fails", "sentence"),
    [(refuse, "-1.nii holds NaN."), (die, r"A worker could not prepare s\d \(MemoryError: no memory left\); see the")],
)
def test_what_fails_on_a_worker_is_one_sentence_and_no_part_of_an_entry(tmp_path, monkeypatch, fails, sentence):
    monkeypatch.setattr(Told, "__call__", fails)
    with ThreadPoolExecutor(2) as executor, spread_over(executor):
        with pytest.raises(BundleError, match=sentence) as error:
            prepared(tmp_path / "cache")
    assert "\n" not in str(error.value) and not list((tmp_path / "cache").glob("*"))

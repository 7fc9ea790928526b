"""Trained weights are the server's own, and the shipped ones are served until there are some."""

from __future__ import annotations

import pytest

from bundle.errors import BundleError
from bundle.label.places import Places
from bundle.paths import own_path


def test_the_newest_weights_are_served_unless_the_shipped_ones_are_asked_for(tmp_path):
    places, shipped = Places(tmp_path), own_path("models/model.pt")
    assert {places.weights(choice) for choice in (None, "", "newest", "shipped")} == {shipped}
    places.trained.parent.mkdir()
    places.trained.write_bytes(b"weights")
    newest = (None, "", "newest", ["newest", "shipped"])
    assert {places.weights(choice) for choice in newest} == {places.trained}
    assert places.weights("shipped") == places.weights(["shipped"]) == shipped
    assert tmp_path in places.trained.parents and shipped.parent not in places.trained.parents
    with pytest.raises(BundleError, match="weights is newest or shipped, not '/etc/x.pt'."):
        places.weights("/etc/x.pt")


def test_a_process_that_the_server_starts_finds_its_places(tmp_path, monkeypatch):
    monkeypatch.setenv("MANET_LABEL_WORK", "")
    Places(tmp_path).announce()
    assert Places.of_server() == Places(tmp_path)

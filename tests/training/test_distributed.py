"""Batch statistics over several processes are those of the joint batch, whatever the precision of the features."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from bundle.training import distributed
from bundle.training.distributed import JointBatchNorm2d, synchronise_batch_norm


@pytest.fixture
def a_twin(monkeypatch):
    """A second process that has the same slices: every sum over both is twice this one's."""
    monkeypatch.setattr(distributed.idist, "get_world_size", lambda: 2)
    monkeypatch.setattr(distributed, "all_reduce", lambda values: 2 * values)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.bfloat16, 2e-2)])
def test_two_processes_normalise_as_one_with_the_joint_batch(a_twin, dtype, tolerance):
    slices = (3 + 2 * torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(0))).to(dtype)
    joint, single = JointBatchNorm2d(4), nn.BatchNorm2d(4)
    found, expected = joint(slices), single(torch.cat((slices, slices)).float())[:2]
    assert found.dtype == dtype
    torch.testing.assert_close(found.float(), expected, rtol=tolerance, atol=tolerance)
    torch.testing.assert_close(joint.running_mean, single.running_mean)
    torch.testing.assert_close(joint.running_var, single.running_var)


def test_batch_norms_are_replaced_with_their_parameters_and_only_when_asked():
    network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4))
    before = dict(network.named_parameters())
    assert type(synchronise_batch_norm(network, enabled=False)[1]) is nn.BatchNorm2d
    assert type(synchronise_batch_norm(network)[1]) is JointBatchNorm2d
    assert all(parameter is before[name] for name, parameter in network.named_parameters())

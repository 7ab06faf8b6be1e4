"""The cut-off is smooth where it must be, the encoding is what its formula says, edges point to the sender."""

import math

import pytest
import torch

from tensorframes.geometry import RadialEncoding, edge_vectors, envelope


def test_the_envelope_is_the_polynomial_and_vanishes_with_two_derivatives() -> None:
    u = torch.linspace(0.0, 1.0, 11, dtype=torch.float64)
    torch.testing.assert_close(envelope(u), 1 - 10 * u**3 + 15 * u**4 - 6 * u**5)
    end = torch.tensor(1.0 - 1e-9, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(envelope(end), end, create_graph=True)
    (bend,) = torch.autograd.grad(slope, end)
    assert abs(envelope(end).item()) < 1e-24
    assert abs(slope.item()) < 1e-15
    assert abs(bend.item()) < 1e-6
    assert envelope(torch.tensor([1.0, 1.5, 1e9])).tolist() == [0.0, 0.0, 0.0]


def test_the_envelope_falls_from_one() -> None:
    values = envelope(torch.linspace(0.0, 1.0, 1001))
    assert values[0] == 1.0
    assert (values.diff() <= 0).all()


def test_the_encoding_is_a_cosine_series() -> None:
    encoding = RadialEncoding(4)(torch.tensor([[0.0, 0.5], [1.0, 2.0]], dtype=torch.float64))
    assert encoding.shape == (2, 2, 4)
    assert encoding.dtype == torch.float64
    cosines = [[math.cos(n * math.pi * u) for n in range(4)] for u in (0.0, 0.5, 1.0, 1.0)]
    expected = torch.tensor(cosines, dtype=torch.float64)
    torch.testing.assert_close(encoding.flatten(0, 1), expected, atol=1e-15, rtol=0)
    for changed in (RadialEncoding(4).double(), RadialEncoding(4).bfloat16()):
        assert torch.equal(changed(torch.tensor([0.5, 1.0]).double()), expected[1:3])


def test_the_encoding_tells_distances_apart() -> None:
    encoding = RadialEncoding(6)(torch.linspace(0.0, 1.0, 100, dtype=torch.float64))
    assert torch.pdist(encoding).min() > 1e-3


def test_the_encoding_keeps_no_state() -> None:
    assert RadialEncoding(4).state_dict() == {}
    with pytest.raises(ValueError, match="expected a whole number count >= 1"):
        RadialEncoding(0)


def test_edges_point_from_receiver_to_sender() -> None:
    pos = torch.tensor([[0.0, 0.0], [1.0, 2.0]])
    assert edge_vectors(pos, torch.tensor([[1], [0]])).tolist() == [[1.0, 2.0]]
    assert edge_vectors((pos, pos[1:] + 1), torch.tensor([[0], [0]])).tolist() == [[-2.0, -3.0]]
    with pytest.raises(ValueError, match=r"expected edge_index of shape \(2, E\)"):
        edge_vectors(pos, torch.zeros(3, 2, dtype=torch.long))

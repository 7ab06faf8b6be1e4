"""Contraction: clusters merge along their strongest couplings, and sums of couplings decide the signs."""

import numpy as np

from tensorframes.normals.orient.contraction import contracted, contracted_dense, singletons


def test_wrong_couplings_are_outvoted() -> None:
    """Point 3 has two right couplings to a group, and a stronger one that is wrong."""
    a, b = np.array([0, 0, 1, 0, 1, 2, 2]), np.array([1, 2, 2, 3, 3, 3, 4])
    coupling = np.array([9.0, 9, 9, 2, 2, -3, -4])
    last = contracted(singletons(5, a, b, coupling), 1, 0.5)[-1]
    assert last.count == 1
    assert last.sign.tolist() == [1, 1, 1, 1, -1]
    hasty = contracted(singletons(5, a, b, coupling), 1, 0.0)[-1]
    assert hasty.sign.tolist() == [1, 1, 1, -1, -1]


def test_all_pairs_contract_as_a_graph_of_them() -> None:
    random = np.random.default_rng(0).normal(size=(40, 40))
    coupling = np.triu(random, 1) + np.triu(random, 1).T
    a, b = np.triu_indices(40, 1)
    last = contracted(singletons(40, a, b, coupling[a, b]), 1, 0.0)[-1]
    label, sign = contracted_dense(coupling, 1)[-1]
    assert (label == 0).all()
    assert np.array_equal(sign * sign[0], last.sign * last.sign[0])

import torch

from tensorframes.frames import IdentityFrames, RandomGlobalFrames, RandomLocalFrames

POS, BATCH = torch.randn(9, 3), torch.tensor([0, 0, 0, 0, 1, 1, 1, 2, 2])
NO_EDGES = torch.empty(2, 0, dtype=torch.long)


def test_identity_frames_are_the_worlds_axes() -> None:
    assert torch.equal(IdentityFrames()(POS, NO_EDGES).matrices, torch.eye(3).expand(9, 3, 3))


def test_global_frames_are_one_per_cloud_and_new_at_each_training_call() -> None:
    finder = RandomGlobalFrames()
    first, second = (finder(POS, NO_EDGES, BATCH).matrices for _ in range(2))
    assert torch.equal(first[0], first[3])
    assert not torch.allclose(first[0], first[4])
    assert not torch.allclose(first[0], second[0])


def test_local_frames_are_one_per_point_and_orthogonal() -> None:
    matrices = RandomLocalFrames()(POS, NO_EDGES).matrices
    assert torch.allclose(matrices @ matrices.transpose(1, 2), torch.eye(3).expand(9, 3, 3), atol=1e-6)
    assert not torch.allclose(matrices[0], matrices[1])


def test_draws_repeat_in_evaluation_mode_and_hold_reflections() -> None:
    finder = RandomLocalFrames().eval()
    pos = torch.randn(200, 3)
    first, second = (finder(pos, NO_EDGES).matrices for _ in range(2))
    assert torch.equal(first, second)
    share = (torch.linalg.det(first) < 0).float().mean()
    assert 0.3 < share < 0.7

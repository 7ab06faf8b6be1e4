"""scripts/wandb_workspace.py"""

from tensorframes.cli.tracking import TAGGED


def test_the_dashboard_of_a_group_shows_scores_by_choice(script):
    code, out, _ = script("wandb_workspace", "me", "normals", "laptop_oriented", "--dry-run")
    assert code == 0
    assert "laptop_oriented" in out
    for choice in ("frames", "messages", "backbone"):
        assert choice in TAGGED.values()
        assert f"test/cosine_oriented/so3 by {choice}" in out


def test_a_project_is_needed(script):
    code, _, told = script("wandb_workspace", "me")
    assert code == 2
    assert "project" in told

"""Networks, one a file; each works on features told in local frames."""

from tensorframes.backbones.backbone import Backbone
from tensorframes.backbones.pointnet2 import FeaturePropagation, PointNet2, SetAbstraction

__all__ = ["Backbone", "FeaturePropagation", "PointNet2", "SetAbstraction"]

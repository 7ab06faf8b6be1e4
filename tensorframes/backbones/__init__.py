"""Networks, one a file; each works on features told in local frames."""

from tensorframes.backbones.backbone import Backbone
from tensorframes.backbones.dgcnn import DGCNN
from tensorframes.backbones.edge_conv import FrameEdgeConv, GlobalFeature
from tensorframes.backbones.point_transformer import FrameAttention, PointTransformer
from tensorframes.backbones.pointnet import PointNet
from tensorframes.backbones.pointnet2 import FeaturePropagation, PointNet2, SetAbstraction

__all__ = [
    "DGCNN",
    "Backbone",
    "FeaturePropagation",
    "FrameAttention",
    "FrameEdgeConv",
    "GlobalFeature",
    "PointNet",
    "PointNet2",
    "PointTransformer",
    "SetAbstraction",
]

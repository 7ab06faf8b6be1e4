"""Backbones, one per file: networks on features in local frames."""

from tensorframes.backbones.backbone import Backbone
from tensorframes.backbones.dgcnn import DGCNN
from tensorframes.backbones.edge_conv import FrameEdgeConv, GlobalFeature
from tensorframes.backbones.fusion import FusionAbstraction
from tensorframes.backbones.gin import GIN, FrameGINConv
from tensorframes.backbones.locaformer import FrameTransformerLayer, LoCaFormer
from tensorframes.backbones.point_transformer import FrameAttention, PointTransformer
from tensorframes.backbones.pointnet import PointNet
from tensorframes.backbones.pointnet2 import PointNet2
from tensorframes.backbones.set_abstraction import FeaturePropagation, MultiScaleAbstraction, SetAbstraction

__all__ = [
    "DGCNN",
    "GIN",
    "Backbone",
    "FeaturePropagation",
    "FrameAttention",
    "FrameEdgeConv",
    "FrameGINConv",
    "FrameTransformerLayer",
    "FusionAbstraction",
    "GlobalFeature",
    "LoCaFormer",
    "MultiScaleAbstraction",
    "PointNet",
    "PointNet2",
    "PointTransformer",
    "SetAbstraction",
]

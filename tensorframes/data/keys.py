"""Names, shapes, types and meanings of the tensors of a batch, a torch_geometric Data or Batch.

A batch holds N points of B clouds, or of B patches of clouds. Lengths are in the unit of the source.
"""

POS = "pos"
"""(N, 3) float32: positions. The origin is the centre point of a training patch, or the mean of a validation cloud."""

NORMAL = "normal"
"""(N, 3) float32: unit normals of the clean surface, turned with the positions; zero at unlabelled points."""

BATCH = "batch"
"""(N,) int64, ascending: the index of each point's cloud; set by Batch."""

SCALE = "scale"
"""(B,) float32 > 0: `geometry.cloud_scale` of the WHOLE corrupted cloud, also for a patch of it."""

PROFILE = "profile"
"""(B, PROFILE) float32: `geometry.sampled_profile` of the WHOLE corrupted cloud; only where a network needs it."""

NOISE = "noise"
"""(B,) float32: standard deviation of the noise, a fraction of the clean cloud's diagonal; training only."""

LOSS_MASK = "loss_mask"
"""(N,) bool: the points that the loss, or in validation the score, is taken over. The others are unlabelled, lie at the
border of their patch, or are not scored by the protocol."""

ORIENTED = "oriented"
"""(B,) bool: the signs of the cloud's normals are consistent."""

CATEGORY = "category"
"""(B,) list of str: the protocol's category of each cloud, as in Cloud; validation only."""

NAME = "name"
"""(B,) list of str: the name of each cloud, for messages."""

PLACE = "place"
"""(B,) int64: the index of each cloud in its split; validation only."""

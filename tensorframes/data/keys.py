"""Everything in a batch: its name, shape, type and meaning. A batch is a torch_geometric Data or Batch.

N points in B clouds (or patches of clouds). Lengths are in the source's own unit.
"""

POS = "pos"
"""(N, 3) float32: positions, moved: the origin is the point that a training sample was drawn around, or the mean of the
points of a cloud to validate on."""

NORMAL = "normal"
"""(N, 3) float32: unit normals of the clean surface, turned with the positions; zero at unlabelled points."""

BATCH = "batch"
"""(N,) int64, ascending: the cloud a point belongs to; made by Batch."""

SCALE = "scale"
"""(B,) float32 > 0: `geometry.cloud_scale` of the WHOLE corrupted cloud, also where only a patch of it is given."""

PROFILE = "profile"
"""(B, PROFILE) float32: `geometry.sampled_profile` of the WHOLE corrupted cloud; there where a network asks for it."""

NOISE = "noise"
"""(B,) float32: standard deviation of the noise drawn, a fraction of the clean cloud's diagonal; there in training."""

INNER = "inner"
"""(N,) bool: the points that the loss counts; the others lack a part of their surroundings, or are unlabelled."""

ORIENTED = "oriented"
"""(B,) bool: the signs of the cloud's normals are consistent."""

CATEGORY = "category"
"""(B,) list of str, of clouds to validate on alone: the protocol's category of each, as in Cloud."""

PLACE = "place"
"""(B,) int64, of clouds to validate on alone: the row of each in its split."""

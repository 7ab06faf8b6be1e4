"""Signs of normals: toward a viewpoint, up, consistent along the surface, or outward."""

from tensorframes.normals.orient.orient import METHODS, orient_normals

__all__ = ["METHODS", "orient_normals"]

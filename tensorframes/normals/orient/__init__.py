"""Signs of normals: toward a viewpoint, up, consistent along the surface, or outward."""

from tensorframes.normals.orient.orient import METHODS, orient_normals
from tensorframes.normals.orient.sensor import sensor_position

__all__ = ["METHODS", "orient_normals", "sensor_position"]

"""Generated surfaces with exact normals, and the ways in which sensors and software sample them."""

"""The data sets: PCPNet, ModelNet40, a folder of clouds; how their files are found, downloaded and cached."""

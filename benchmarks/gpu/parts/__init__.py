"""The parts, one module for each: ``items(settings, folder)`` yields names and what measures them.

An item returns plain values for the JSON file. What is measured is kept; the next call measures the rest.
"""

"""What is done to training clouds: rotation, noise, uneven density and the other faults of scanners."""

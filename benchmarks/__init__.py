"""What is measured about speed and memory; one module for each thing."""

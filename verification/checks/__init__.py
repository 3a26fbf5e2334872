"""The checks, one module an area. Each stands beside the probe that shows that it can fail."""

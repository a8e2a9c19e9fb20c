"""A moving hot-rolled strip with known defects: the truth of the demo, and training tiles."""

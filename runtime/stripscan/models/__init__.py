"""Models that come with stripscan."""

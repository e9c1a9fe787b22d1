"""Object detectors: their networks, the letterbox, post-processing."""

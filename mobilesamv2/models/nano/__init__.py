"""The embedded model: its image encoder and its mask head."""

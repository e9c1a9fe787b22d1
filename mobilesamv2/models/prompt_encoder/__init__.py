"""SAM's prompt encoder."""

"""SAM's mask decoder, and the algebra by which prompts share an image."""

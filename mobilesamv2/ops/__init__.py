"""Pure functions on boxes and masks. They know nothing of models, pictures' files or samplers."""

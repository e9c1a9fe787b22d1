"""What only the embedded model has."""

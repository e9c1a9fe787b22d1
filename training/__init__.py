"""Scripts that make the embedded models: `python -m training.detector --help`."""

"""Two runs on one picture compared: matching, budget curves, and a report in words."""

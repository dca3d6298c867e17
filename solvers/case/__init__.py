"""Case files: what they may contain, read, checked and completed."""

"""Parameter studies: many members of a case, computed at once, and one dataset of their results."""

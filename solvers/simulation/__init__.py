"""A run: from a case to problems, and through the phases of its cycle."""

"""Films between their superconducting and normal states."""

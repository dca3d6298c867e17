"""Many cycles: when a run ends, and jumps over cycles that change slowly."""

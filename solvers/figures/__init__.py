"""Figures of runs and materials."""

"""Verification of the heat equation."""

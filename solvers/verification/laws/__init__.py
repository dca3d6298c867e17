"""Verification of the material and interface laws."""

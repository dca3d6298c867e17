"""Verification of the field."""

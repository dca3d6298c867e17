"""Verification of whole cycles."""

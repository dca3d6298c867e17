"""Discrete spaces: layer by layer, double-valued at interfaces."""

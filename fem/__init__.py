"""Finite-element laws and spaces: materials, interfaces, the field and heat operators."""

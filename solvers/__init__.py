"""Solvers of field and heat, the simulation that couples them, cases, output, figures and commands."""

__version__ = "0.1.0"

"""Solvers of field and heat, the simulation that couples them, cases, output, figures and commands."""

"""The heat equation of a layered stack as a network of nodes."""

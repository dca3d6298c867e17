"""Laws of the heat flow through interfaces."""

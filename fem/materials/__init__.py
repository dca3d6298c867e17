"""Materials: their constants, and the laws that follow from them."""

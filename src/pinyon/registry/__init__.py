"""Models, their versions, and the names that point at them."""

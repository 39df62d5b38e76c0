"""Models: numbered versions of what runs made, and the names that point at them."""

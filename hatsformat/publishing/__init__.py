"""How new files become visible: staged first, then published as a whole, or not at all."""

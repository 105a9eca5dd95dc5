"""What is known of a catalog: each piece is gathered when a check first asks for it, and at most once."""

"""A pass over the projects; it needs no daemon."""

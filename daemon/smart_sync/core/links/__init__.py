"""The one grammar of links: what people paste, and whose profile it shows."""

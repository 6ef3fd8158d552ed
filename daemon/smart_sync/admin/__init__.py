"""What the offline commands do: set up, check, explain, ingest, back up."""

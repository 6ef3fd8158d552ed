"""`smart-sync report`: the accounts' growth as one HTML file that can be mailed and opened from disk."""

"""`smart-sync report`: how the accounts have grown, as one HTML file that mails and opens from disk."""

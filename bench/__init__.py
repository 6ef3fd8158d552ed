"""How fast Smart Sync is, shown by ratios that anyone can measure again: `make bench`."""

"""The commands, grouped by purpose: thin functions that call the packages below."""

"""What people see on a terminal.  Names come from sheets: they are shown as text, never as markup or control codes."""

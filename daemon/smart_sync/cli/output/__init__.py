"""What people see on a terminal. Names from sheets are shown as text, never as markup or control codes."""

"""Messages to people in their language: plain text, short, with what, where and what to do."""

"""The commands, by what they are for: thin, each a client of a room below; `cli` puts them together."""

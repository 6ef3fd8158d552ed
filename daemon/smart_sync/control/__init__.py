"""The Unix socket on which the daemon takes requests: server and client."""

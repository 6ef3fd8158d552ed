"""The Unix socket on which the daemon is asked: server and client."""

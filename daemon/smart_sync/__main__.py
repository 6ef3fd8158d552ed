"""``python -m smart_sync``: the command line."""

from smart_sync.cli.main import main

main()

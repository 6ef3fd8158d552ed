#!/bin/sh
# The command takes this shell's place, so that signals reach it.  The umask is that of all who share the database.
umask "$UMASK" && exec "$@"

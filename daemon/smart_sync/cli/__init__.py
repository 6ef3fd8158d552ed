"""The command line: `main` finds the command, `commands` run it, `output` formats what people see."""

"""The `trichotrack` command: groups of commands, one small file each, imported only when run."""

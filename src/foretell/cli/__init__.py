"""The command line: one thin file a command, none of which knows how anything is done."""

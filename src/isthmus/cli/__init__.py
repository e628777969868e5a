"""The command line: ``app`` has the commands, whose work is done in modules that they import when called."""

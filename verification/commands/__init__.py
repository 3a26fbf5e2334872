"""What `casemate COMMAND` does: about_controls reads the register, about_hosts looks at hosts. cli.py imports just what is asked for."""

"""Child processes with limits, in which files of unknown origin are opened; nothing they send is unpickled."""

"""What the web process and its children both know. Pure: standard library only, no files, no state."""

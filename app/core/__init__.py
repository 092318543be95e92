"""What the web process and its children share. Pure: standard library only, no files, no state."""

"""Where jobs run: agents of this manager, and batch systems, here or over SSH."""

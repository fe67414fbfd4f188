"""Files that appear whole or not at all, and errors that say what to do."""

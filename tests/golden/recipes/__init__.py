"""The recipes behind the golden files, one module for each set."""

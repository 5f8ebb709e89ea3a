"""Parameters: layers, types and errors."""

"""What is stored, without I/O: items, expressions, values and identifiers."""

"""Views of the memory of the process under debug."""

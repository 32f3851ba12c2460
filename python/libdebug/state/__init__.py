"""The threads of the process under debug."""

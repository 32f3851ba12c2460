"""What the package shares: configuration, paths of programs, facts of platforms."""

"""Export trained generators for other runtimes, verified and measured."""

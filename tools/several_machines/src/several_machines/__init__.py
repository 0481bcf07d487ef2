"""The shop on several machines, while parts of it fail."""

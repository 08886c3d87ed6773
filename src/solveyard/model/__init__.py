"""The nouns: jobs, resources, messages and errors. Frozen, encodable, pure."""

"""The engine: requests in, tokens out, for any network."""

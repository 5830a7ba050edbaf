"""Changes to a network: what learns in it, what is added to it, what stays still."""

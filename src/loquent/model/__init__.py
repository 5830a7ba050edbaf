"""Networks in torch, made of blocks from a description."""

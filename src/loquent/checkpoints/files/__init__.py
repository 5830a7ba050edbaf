"""Containers of named arrays, each checked against its real size before anything is allocated."""

"""Data: records of files, examples on disk, their order and batches."""

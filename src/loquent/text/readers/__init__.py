"""One module for each way in which files describe a tokenizer."""

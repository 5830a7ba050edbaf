"""Where models come from: the Hugging Face hub and package indexes."""

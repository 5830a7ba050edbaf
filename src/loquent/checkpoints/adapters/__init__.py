"""LoRA adapters in the format of the PEFT library, under our names; no torch is needed."""

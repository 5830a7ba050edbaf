"""The ground floor of the torch executor: layers that know tensors and nothing else."""

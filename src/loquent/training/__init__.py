"""One loop for every model, batch and loss: optimizers, schedules, budgets, ranks, checkpoints."""

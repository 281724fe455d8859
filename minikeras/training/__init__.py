"""Learning: batches, gradients, the training loop and what it shows."""

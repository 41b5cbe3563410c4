"""One training loop, and the model it starts from."""

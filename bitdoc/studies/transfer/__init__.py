"""What fine-tuning does to the features of a network."""

"""What the networks run on: device, precision, micro-batches."""

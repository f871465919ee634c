"""The loop from what users did back to training."""

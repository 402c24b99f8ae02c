"""One training loop for every model: resumable, watched, the same for any number of processes."""

"""What is written to the cluster around a rollback: the step itself, and what is kept of the bad version."""

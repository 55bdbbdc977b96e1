"""The guard is put into a cluster, and taken out again."""

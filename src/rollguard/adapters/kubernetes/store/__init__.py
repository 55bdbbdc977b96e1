"""What the guard and its people keep in the cluster: records, orders, policies, the Lease."""

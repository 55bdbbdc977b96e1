"""The lab: a real Kubernetes control plane, real Prometheus and small real apps as plain local processes.

It stands beside the product and is never imported by it.
"""

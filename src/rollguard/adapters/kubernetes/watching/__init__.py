"""Copies of the cluster's collections, kept by watches."""

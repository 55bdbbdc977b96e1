"""Faults that stories put in the way of a guard: a proxy that kills it, a receiver of its notices, false stores."""

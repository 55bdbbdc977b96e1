"""The lab's exporter of object states, in place of kube-state-metrics, and of databases' connections.

Names and labels are those of kube-state-metrics' published metric documentation; only series that rules, panels
and questions use are here. It is not kube-state-metrics.
"""

"""The lab's load generator: open-loop traffic to Services, as clients behind kube-proxy send it."""

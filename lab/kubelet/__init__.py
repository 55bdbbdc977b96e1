"""The lab's kubelet: runs each pod of its node as a small HTTP app and reports status as a kubelet would."""

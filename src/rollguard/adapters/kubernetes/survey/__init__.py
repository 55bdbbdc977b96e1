"""What doctor wants to know of a cluster: asked all at once, and what is not answered is said to be unknown."""

from rollguard.adapters.kubernetes.survey.config import read_config
from rollguard.adapters.kubernetes.survey.rights import Account, RightsAsked
from rollguard.adapters.kubernetes.survey.surveying import ClusterSeen, survey

__all__ = ["Account", "ClusterSeen", "RightsAsked", "read_config", "survey"]

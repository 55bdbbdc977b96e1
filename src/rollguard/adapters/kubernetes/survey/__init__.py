"""What doctor and a first policy want to know of a cluster: asked at once, and what is not answered is unknown."""

from rollguard.adapters.kubernetes.survey.config import read_config
from rollguard.adapters.kubernetes.survey.rights import Account, RightsAsked
from rollguard.adapters.kubernetes.survey.surveying import ClusterSeen, survey

__all__ = ["Account", "ClusterSeen", "RightsAsked", "read_config", "survey"]

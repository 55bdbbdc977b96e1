"""The rules' own tests: what each alert needs to fire, and stories in which none may."""

from rollguard.render.alerts.proof.written import PATH, cases, test_file

__all__ = ["PATH", "cases", "test_file"]

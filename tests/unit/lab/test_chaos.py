"""Failures that no image names reach the pods that they are meant for."""

import pytest

from lab.kubelet.chaos import Chaos, Effect, parse_rule


def test_a_rule_reaches_its_namespace_and_labels_only() -> None:
    chaos = Chaos()
    chaos.add(parse_rule({"namespace": "shop", "selector": {"app": "backend"}, "error_ratio": 0.4}))
    assert chaos.effect("shop", {"app": "backend", "version": "blue"}).error_ratio == 0.4
    assert chaos.effect("shop", {"app": "frontend"}) == Effect()
    assert chaos.effect("other", {"app": "backend"}) == Effect()


def test_a_database_that_is_down_fails_everything_or_the_share_that_is_given() -> None:
    chaos = Chaos()
    chaos.add(parse_rule({"database_down": True, "error_ratio": 0.4}))
    assert chaos.effect("any", {}) == Effect(database_error_ratio=0.4)
    chaos.add(parse_rule({"database_down": True}))
    assert chaos.effect("any", {}).database_error_ratio == 1.0


def test_clearing_a_namespace_leaves_the_others() -> None:
    chaos = Chaos()
    chaos.add(parse_rule({"namespace": "one", "latency_s": 1.0}))
    chaos.add(parse_rule({"namespace": "two", "latency_s": 2.0}))
    chaos.clear("one")
    assert chaos.effect("one", {}).latency_s == 0
    assert chaos.effect("two", {}).latency_s == 2.0
    chaos.clear()
    assert chaos.effect("two", {}) == Effect()


def test_an_unknown_field_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"unknown field namspace; known: .*namespace"):
        parse_rule({"namspace": "shop"})

"""Pod addresses of two nodes never meet, nor those of two labs."""

import pytest

from lab.kubelet.addresses import Addresses, loopback


def test_an_app_listens_on_the_loopback_address_of_the_same_digits() -> None:
    assert loopback("10.244.3.7") == "127.244.3.7"
    with pytest.raises(ValueError, match="not an address of the lab"):
        loopback("127.0.0.1")


def test_an_address_in_use_is_not_given_twice_even_to_another_lab() -> None:
    one, other = Addresses(3, start=100), Addresses(3, start=100)
    taken = [one.take() for _ in range(3)] + [other.take() for _ in range(3)]
    assert len(set(taken)) == 6
    one.release(taken[0])
    assert one.take() not in taken, "a released address is not used again soon"
    assert other.take(wanted=taken[0]) == taken[0]
    for each in taken:
        one.release(each)
        other.release(each)

"""Notices: their words and the body that goes to a webhook. Pure: a notice is data, sending is an adapter's."""

from rollguard.notify.payload import payload
from rollguard.notify.tickets import ticket_payload
from rollguard.notify.words import Words, words

__all__ = ["Words", "payload", "ticket_payload", "words"]

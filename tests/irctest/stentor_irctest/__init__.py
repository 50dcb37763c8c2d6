"""Stentor under irctest, the conformance suite for IRC servers; see README.md."""

"""The desk: the only door through which anything is decided. Every face speaks to it, and every check is behind it.

Each verb is one transaction, which ends with what the journal says of it: done and written down, or neither. What is
refused is a Refusal, with a word for programs and a sentence for people. Doing the same again changes nothing.
"""

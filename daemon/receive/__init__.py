"""Receiving webhooks: who may speak at which path, what an event is about, and one commit for all who wait.

route     the ASGI callable: bounds a body, waits for the writer, answers, and only then wakes
writer    a thread of its own, which opens whatever arrived during its last commit and commits it at once
opening   from a signed body to the event's address; the payload is never believed, nor kept
doors     whose endpoint a path is, with which secrets, and under which account its events land
refusals  what is said to whoever sends something that cannot be taken
"""

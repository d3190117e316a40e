"""Telling programs and pages what happens to runs, as it happens.

`look` asks the database, once a second for all viewers of a process; `topics` keeps
what is known and says what is new to whom; `hub` holds the viewers; `admission` and
`gate` let them in and `rights` looks whether they still may; `app` speaks HTTP and
WebSocket, by `asgi` and `frames`.
"""

"""The faces over real HTTP: the API, the door before it, and the commands that speak to it."""

"""The faces side by side: which of them a path belongs to."""

from collections.abc import Sequence

from daemon.asgi import App, Receive, Scope, Send, problem

NOWHERE = problem(404, "unknown_path", "There is nothing at this path.")


class Faces:
    """One application of several, which a reload may replace while requests are under way."""

    def __init__(self) -> None:
        self._parts: Sequence[tuple[str, App]] = ()

    def use(self, parts: Sequence[tuple[str, App]]) -> None:
        """Each serves the paths that begin so; the first that fits does."""
        self._parts = tuple(parts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope["path"]
        for beginning, app in self._parts:
            if path.startswith(beginning):
                await app(scope, receive, send)
                return
        await NOWHERE.send(send)

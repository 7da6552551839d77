"""Where a web source is asked: the configured addresses with their places filled in."""

from collections.abc import Mapping
from urllib.parse import quote, urljoin, urlsplit

from accounts.errors import Malformed
from accounts.sources.configuration import Http, places
from accounts.sources.values import shown

PROPERTIES = "properties."  # what {properties} lists, without this beginning: HubSpot's way


class Addresses:
    def __init__(self, source: str, http: Http, fields: Mapping[str, str]) -> None:
        self._source = source
        self._http = http
        parts = urlsplit(http.url)
        self._origin = f"{parts.scheme}://{parts.netloc}"
        theirs = fields.values()
        below = (name.removeprefix(PROPERTIES) for name in theirs if name.startswith(PROPERTIES))
        self._lists = {
            "fields": quote(",".join(theirs), safe=","),
            "properties": quote(",".join(below), safe=","),
        }
        named = places(http.url)
        self.per_account = "stripe_account" in named
        self._by_cursor = "cursor" in named

    def first(self, stripe_account: str) -> str:
        """The list's beginning. A parameter for the cursor is left out: some answer 400 to an empty one."""
        path, question, query = self._http.url.partition("?")
        query = "&".join(part for part in query.split("&") if not part.endswith("={cursor}"))
        return self._filled(path + question + query, stripe_account=stripe_account, cursor="")

    def following(self, named: object, here: str, stripe_account: str) -> str | None:
        """The next page's address by what this one names; None after the last."""
        if named is None or named == "":
            return None
        if isinstance(named, bool) or not isinstance(named, str | int):
            raise Malformed(f"{self._source}: what stands at next = “{self._http.next}” names no page.")
        if self._by_cursor:
            return self._filled(self._http.url, stripe_account=stripe_account, cursor=str(named))
        there = urljoin(here, str(named))
        if not there.startswith(self._origin + "/") or not there.isprintable() or not there.isascii():
            raise Malformed(
                f"{self._source}: the next page would be at {shown(there)}, and credentials are not carried elsewhere."
            )
        return there

    def endpoint(self, template: str, key: str, stripe_account: str = "") -> tuple[str, str]:
        """Method and address of what concerns one row."""
        method, _, path = template.partition(" ")
        if key in {".", ".."}:
            raise Malformed(
                f"{self._source}: {shown(key)} cannot be asked for; in a path it means something else."
            )
        return method, self._origin + self._filled(path, key=key, stripe_account=stripe_account)

    def _filled(self, template: str, **values: str) -> str:
        return template.format(
            **{name: quote(value, safe="") for name, value in values.items()}, **self._lists
        )

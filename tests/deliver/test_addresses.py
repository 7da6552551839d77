"""Which addresses may be called, by their names and by where those lead; and how a call is made."""

import itertools
from collections.abc import Sequence
from ipaddress import ip_address

import pytest

from accounts.callbacks import Allowed, Blocked, Caller, NotTaken
from accounts.callbacks.addresses import leads_inside, resolved
from tests.deliver.receiver import Receiver

NAMED = Allowed(["api.example.com", "hooks.example.com:8443", "127.0.0.1:9000", "Localhost:9001"])
INSIDE = (
    "127.0.0.1", "127.8.9.1", "10.0.0.1", "172.16.3.4", "192.168.0.10", "169.254.169.254", "100.100.100.200",
    "168.63.129.16", "0.0.0.1", "224.0.0.1", "255.255.255.255", "192.0.0.192", "198.18.0.1", "203.0.113.5",
    "::1", "::", "fe80::1%eth0", "fd00:ec2::254", "ff02::1", "::ffff:10.0.0.1", "::ffff:93.184.216.34",
    "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "2001:0:4136:e378::1", "::7f00:1", "fec0::1", "2001:db8::1",
)  # fmt: skip


def leading_to(*addresses: str) -> Caller:
    return Caller(NAMED, resolve=lambda host, port: addresses)


@pytest.mark.parametrize("address", INSIDE)
def test_a_name_that_leads_inside_is_not_called(address: str) -> None:
    """Trap T47: the address resolves to a cloud's metadata, to this machine, or to a disguise of either."""
    with pytest.raises(Blocked, match="not a public one"):
        leading_to(address).post("https://api.example.com/hook", {}, b"{}")
    with pytest.raises(Blocked, match="not a public one"):
        leading_to("93.184.216.34", address).post("https://api.example.com/hook", {}, b"{}")


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946"])
def test_a_name_that_leads_outside_is_called_at_the_address_that_was_looked_at(address: str) -> None:
    asked: list[str] = []

    def resolve(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return [address]

    assert resolved(NAMED.place("https://api.example.com/hook"), resolve) == address
    assert asked == ["api.example.com"], "a second answer could be another one"


@pytest.mark.parametrize(
    "url",
    [
        "http://api.example.com/hook",
        "ftp://api.example.com/hook",
        "file:///etc/passwd",
        "https://other.example.com/hook",
        "https://api.example.com.evil.example/hook",
        "https://api.example.com:8443/hook",
        "https://hooks.example.com/hook",
        "https://api.example.com@evil.example/hook",
        "https://user:word@api.example.com/hook",
        "https://evil.example\\@api.example.com/hook",
        "https://api.example.com /hook",
        "https://api.example.com/hook\r\nX-More: 1",
        "https://äpi.example.com/hook",
        "https://[::1",
        "https://api.example.com:99999/hook",
        "https:///hook",
        "api.example.com/hook",
        "https://127.0.0.1/hook",
        "http://127.0.0.1:9002/hook",
        "http://127.1:9000/hook",
        "http://2130706433:9000/hook",
        "http://0x7f.1:9000/hook",
        "https://169.254.169.254/latest/meta-data",
        "https://api.example.com/" + "a" * 2_000,
    ],
)
def test_an_address_that_is_not_named_is_blocked_by_its_name_alone(url: str) -> None:
    """Trap T47: user and password, another scheme, port or host, and other spellings of this machine."""
    with pytest.raises(Blocked):
        NAMED.place(url)


def test_a_host_is_called_at_443_or_at_the_port_that_is_named() -> None:
    places = [NAMED.place(f"https://{each}/h") for each in ("API.example.com", "api.example.com.:443")]
    assert {(place.host, place.port, place.is_ours) for place in places} == {("api.example.com", 443, False)}
    assert NAMED.place("https://hooks.example.com:8443/h").port == 8443


@pytest.mark.parametrize("named", ["127.0.0.1", "127.0.0.1:{port}"])
def test_this_machine_is_called_only_where_it_is_named(receiver: Receiver, named: str) -> None:
    for others in ("api.example.com", "localhost", "127.0.0.1:1"):
        with pytest.raises(Blocked):
            Caller(Allowed([others])).post(receiver.url, {}, b"{}")
    assert receiver.calls == []
    allowed = Allowed([named.format(port=receiver.port)])
    Caller(allowed).post(receiver.url, {"x-a": "1"}, b'{"a":1}')
    (call,) = receiver.calls
    assert (call.path, call.said, call.headers["x-a"]) == ("/hook", {"a": 1}, "1")
    assert call.headers["host"] == f"127.0.0.1:{receiver.port}"


def test_a_name_of_this_machine_may_not_lead_elsewhere() -> None:
    with pytest.raises(Blocked):
        leading_to("93.184.216.34").post("http://localhost:9001/hook", {}, b"{}")


def test_the_connection_goes_to_the_address_that_was_looked_at() -> None:
    """Trap T47: nobody asks for the name a second time, so it cannot lead elsewhere by then."""
    with Receiver("127.0.0.2") as other:
        caller = Caller(Allowed([f"localhost:{other.port}"]), resolve=lambda host, port: ["127.0.0.2"])
        caller.post(f"http://localhost:{other.port}/hook", {}, b"{}")
        assert other.calls[0].headers["host"] == f"localhost:{other.port}"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(receiver: Receiver, status: int) -> None:
    """Trap T47: an allowed host that sends us on."""
    with Receiver() as inside:
        receiver.answers.append(status)
        receiver.location = inside.url
        with pytest.raises(NotTaken, match="redirects are not followed"):
            Caller(Allowed([f"127.0.0.1:{receiver.port}", f"127.0.0.1:{inside.port}"])).post(
                receiver.url, {}, b"{}"
            )
        assert inside.calls == []


def test_whoever_takes_too_long_is_hung_up_on(receiver: Receiver) -> None:
    clock = itertools.chain([0.0, 0.0, 0.0], itertools.repeat(31.0))
    caller = Caller(Allowed([f"127.0.0.1:{receiver.port}"]), monotonic=lambda: next(clock))
    with pytest.raises(NotTaken, match="in time"):
        caller.post(receiver.url, {}, b"{}")


def test_a_host_without_an_address_and_one_that_hangs_up_are_not_taken(receiver: Receiver) -> None:
    def resolve(host: str, port: int) -> Sequence[str]:
        raise OSError

    with pytest.raises(NotTaken, match="resolved"):
        Caller(NAMED, resolve=resolve).post("https://api.example.com/hook", {}, b"{}")
    with pytest.raises(NotTaken, match="resolved"):
        leading_to().post("https://api.example.com/hook", {}, b"{}")
    with Receiver() as gone:
        port = gone.port
    with pytest.raises(NotTaken, match="could not be called"):
        Caller(Allowed([f"127.0.0.1:{port}"])).post(f"http://127.0.0.1:{port}/hook", {}, b"{}")


def test_documented_public_addresses_are_public() -> None:
    assert not any(leads_inside(ip_address(each)) for each in ("1.1.1.1", "8.8.8.8", "2606:4700::1111"))

from ingot.base.secret import Secret
from ingot.server.process.address import Address
from ingot.server.process.banner import describe, reachable_hosts, render
from ingot.server.process.keys import RootKeys

KEYS = RootKeys("ACCESS", Secret("the-secret"), generated=True)
API, CONSOLE = Address("127.0.0.1", 9000), Address("::1", 9001)


def test_shown_keys_are_in_the_banner_and_in_the_line_to_paste() -> None:
    text = render(describe(API, CONSOLE, KEYS, show_keys=True), "./data")

    assert text.splitlines() == [
        "S3 endpoint:  http://127.0.0.1:9000",
        "Access key:   ACCESS",
        "Secret key:   the-secret",
        "Console:      http://[::1]:9001",
        "Try it:       ingot alias set store http://127.0.0.1:9000 ACCESS the-secret",
    ]


def test_hidden_keys_are_nowhere_and_the_banner_says_how_to_get_them() -> None:
    document = describe(API, CONSOLE, KEYS, show_keys=False)
    text = render(document, "./data")

    assert "the-secret" not in text + str(document)
    assert "Keys:         ingot server keys ./data" in text
    assert text.endswith("ingot alias set store http://127.0.0.1:9000")


def test_configured_keys_are_where_they_were_configured() -> None:
    keys = KEYS._replace(generated=False)

    assert "Keys:         as configured" in render(
        describe(API, CONSOLE, keys, show_keys=False), "./data"
    )


def test_a_wildcard_is_reachable_over_loopback_at_least() -> None:
    assert reachable_hosts(Address("0.0.0.0", 1))[-1] == "127.0.0.1"
    assert reachable_hosts(Address("store.example", 1)) == ["store.example"]

from ingot.vm.machine import PublishedPort
from ingot.vm.networks.forwards import forward_rules, parse_forwards

# Of QEMU 7.2, with what it answers for forwards from 0.0.0.0 and for connections in use.
USERNET = (
    "Hub -1 (net0):\r\n"
    "  Protocol[State]    FD  Source Address  Port   Dest. Address  Port RecvQ SendQ\r\n"
    "  TCP[ESTABLISHED]   31       127.0.0.1 34587       10.0.2.15    80     0     0\r\n"
    "  TCP[HOST_FORWARD]   9       127.0.0.1 34587       10.0.2.15    80     0     0\r\n"
    "  TCP[HOST_FORWARD]   3               *  8081       10.0.2.15    81     0     0\r\n"
    "  UDP[236 sec]       17       10.0.2.15 44111        10.0.2.3    53     0     0\r\n"
    "  UDP[HOST_FORWARD]   8     192.0.2.100 44432       10.0.2.15    53     0     0\r\n"
)


def test_qemu_says_where_it_listens() -> None:
    assert parse_forwards(USERNET) == {
        ("tcp", 80): ("127.0.0.1", 34587),
        ("tcp", 81): ("127.0.0.1", 8081),
        ("udp", 53): ("192.0.2.100", 44432),
    }
    assert parse_forwards("") == {}


def test_an_ipv6_port_shares_the_forward_of_its_ipv4_port() -> None:
    ports = (
        PublishedPort("::1", 5353, 53, "udp"),
        PublishedPort("192.0.2.100", 53, 53, "udp"),
        PublishedPort("::1", 53, 53),
        PublishedPort("::", 54, 53),
        PublishedPort("127.0.0.1", 80, 80),
        PublishedPort("127.0.0.1", 81, 80),
    )
    assert forward_rules(ports, "10.0.2.15") == [
        "udp:192.0.2.100:53-10.0.2.15:53",
        "tcp:127.0.0.1:80-10.0.2.15:80",
        "tcp:127.0.0.1:81-10.0.2.15:80",
        "tcp:127.0.0.1:0-10.0.2.15:53",
    ]

"""`ingot ping`: whether a service is there, and how fast it answers."""

from __future__ import annotations

import itertools
import time

import click

from ingot.cli._completion import complete_alias
from ingot.cli.printer import Printer, output_options

_ANSWER_TIMEOUT_S = 10.0
_NS_PER_S = 1_000_000_000


@click.command()
@click.argument("name", metavar="ALIAS", shell_complete=complete_alias)
@click.option("--count", "-c", type=click.IntRange(1), help="How often; endless if not given.")
@click.option(
    "--interval",
    "-i",
    default="1s",
    show_default=True,
    metavar="DURATION",
    help="How long to wait in between.",
)
@click.option("--exit", "-x", "until_alive", is_flag=True, help="End at the first answer.")
@click.option("--error-count", "-e", type=click.IntRange(1), help="End after so many failures.")
@output_options
def ping(
    printer: Printer,
    *,
    name: str,
    count: int | None,
    interval: str,
    until_alive: bool,
    error_count: int | None,
) -> None:
    """Ask a service again and again whether it is there; needs no keys.

    Any answer that is no failure of the server counts.

    \b
    Examples:
      ingot ping store --count 5
      ingot ping store --exit --error-count 30
    """
    from ingot.base.errors import NetworkError
    from ingot.base.units import format_duration, parse_duration
    from ingot.client.aliases import AliasBook
    from ingot.client.health import knock, patient_transport
    from ingot.s3client.endpoint import Endpoint

    alias = AliasBook.default().get(name)
    endpoint = Endpoint.parse(alias.url)
    pause_s = parse_duration(interval)
    answered = failed = 0
    with patient_transport(_ANSWER_TIMEOUT_S) as transport:
        for number in itertools.count(1):
            try:
                answer = knock(transport, endpoint)
            except NetworkError as error:
                failed += 1
                printer.failure(error)
            else:
                answered += 1
                printer.data(
                    {
                        "alias": name,
                        "counter": number,
                        "roundtrip": int(answer.duration_s * _NS_PER_S),
                        "code": answer.status,
                    },
                    f"{number}: {endpoint.url}  {format_duration(answer.duration_s)}",
                )
            if (until_alive and answered) or number == count or failed == error_count:
                break
            time.sleep(pause_s)
    _finish(answered, failed, until_alive=until_alive)


def _finish(answered: int, failed: int, *, until_alive: bool) -> None:
    """Raise what the failures among the answers amount to."""
    from ingot.base.errors import NetworkError, PartialError

    if failed and not (until_alive and answered):
        kind = PartialError if answered else NetworkError
        raise kind(f"{failed} of {failed + answered} pings failed; the reasons are above")

"""What a service's refusals tell of it: where its buckets are, and what time it has there."""

from __future__ import annotations

import re
import threading

from ingot.base.clock import Clock
from ingot.base.limits import CLOCK_SKEW_S
from ingot.s3.dates import NS_PER_S, parse_amz_date, parse_http_date
from ingot.s3client.call import Call
from ingot.s3client.endpoint import Endpoint
from ingot.s3client.errors import ServiceError
from ingot.transport.pool import Request, Response

# A service that says outright that the time is wrong may be stricter than Amazon.
_SKEW_S_MIN = 60
# It becomes part of a header.
_REGION = re.compile(r"[\w.-]{1,64}", re.ASCII)
_MISPLACED_STATUSES = frozenset({301, 307, 400})


class Learned:
    """What is known of a service; safe to share between threads.

    Args:
        endpoint: the service.
        region: what it is in until it says otherwise.
        clock: tells our time.
    """

    def __init__(self, endpoint: Endpoint, region: str, clock: Clock) -> None:
        self._endpoint = endpoint
        self._region = region
        self._clock = clock
        self._lock = threading.Lock()
        self._regions: dict[str, str] = {}
        self._endpoints: dict[str, Endpoint] = {}
        self._skew_ns = 0

    def region_of(self, bucket: str) -> str:
        """Return what to sign for."""
        return self._regions.get(bucket, self._region)

    def endpoint_of(self, bucket: str) -> Endpoint:
        """Return where the bucket is."""
        return self._endpoints.get(bucket, self._endpoint)

    def now_ns(self) -> int:
        """Return the time as the service has it."""
        return self._clock.now_ns() + self._skew_ns

    def learns(self, call: Call, request: Request, response: Response, error: ServiceError) -> bool:
        """Take a hint from a refusal; tell whether the call, made anew, may succeed."""
        return self._learns_time(call, request, response, error) or self._learns_place(
            call, response, error
        )

    def _learns_time(
        self, call: Call, request: Request, response: Response, error: ServiceError
    ) -> bool:
        # What was sent again for long has an old signature, whatever our clock says: so it is the
        # time in the request that counts.
        signed_s = parse_amz_date(request.headers.get("x-amz-date", ""))
        server_s = parse_http_date(response.headers.get("date", ""))
        if signed_s is None or server_s is None:
            return False
        if error.code == "RequestTimeTooSkewed":
            least_s = _SKEW_S_MIN
        elif call.method == "HEAD" and error.status == 403:
            least_s = CLOCK_SKEW_S - _SKEW_S_MIN  # which has no code to tell it
        else:
            return False
        if abs(server_s - signed_s) < least_s:
            return False
        with self._lock:
            self._skew_ns = server_s * NS_PER_S - self._clock.now_ns()
        return True

    def _learns_place(self, call: Call, response: Response, error: ServiceError) -> bool:
        bucket = call.bucket
        region = response.headers.get("x-amz-bucket-region") or error.fields.get("Region", "")
        if _REGION.fullmatch(region) is None or error.status not in _MISPLACED_STATUSES:
            return False
        endpoint = self.endpoint_of(bucket).in_region(region) if bucket else self._endpoint
        if (region, endpoint) == (self.region_of(bucket), self.endpoint_of(bucket)):
            return False
        with self._lock:
            self._regions[bucket] = region
            self._endpoints[bucket] = endpoint
        return True

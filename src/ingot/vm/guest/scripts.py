"""What the guest's shell runs around a command, so that its streams go to ports of the machine."""

from __future__ import annotations

from collections.abc import Sequence

BUSYBOX = "/bin/busybox"
NO_PROGRAM = "ingot: no such program"
NO_PORT = "ingot: no port"

# The shell stays, holding the ports: what it says last is then last, whatever still writes there.
_STREAMS = r"""
token=$1
has_input=$2
shift 2
port() {
  tries=200
  while [ "$tries" -gt 0 ]; do
    for file in /sys/class/virtio-ports/*/name; do
      read -r name < "$file" || continue
      device=${file%/name}
      device=/dev/${device##*/}
      [ "$name" != "$1.$token" ] || [ ! -e "$device" ] || return 0
    done
    tries=$((tries - 1))
    sleep 0.05
  done
  echo "@NO_PORT@" >&2
  exit 125
}
command -v "$1" > /dev/null || { echo "@NO_PROGRAM@" >&2; exit 127; }
cd /
port out; exec 3> "$device"
port err; exec 4> "$device"
if [ "$has_input" = yes ]; then
  port in; exec 5< "$device"
else
  exec 5< /dev/null
fi
"$@" <&5 >&3 2>&4 3>&- 4>&- 5<&- &
child=$!
exec 5<&-
trap 'kill -TERM $child' TERM
wait $child
code=$?
while kill -0 $child 2> /dev/null; do
  wait $child
  code=$?
done
printf '\000%s' "$token" >&3
printf '\000%s' "$token" >&4
exit $code
"""

_TERMINAL = r"""
token=$1
device=$2
rows=$3
columns=$4
export INGOT_TERM=$5 TERM=$5
shift 5
command -v "$1" > /dev/null || { echo "@NO_PROGRAM@" >&2; exit 127; }
exec < "$device" > "$device" 2>&1
[ "$rows" -eq 0 ] || stty rows "$rows" cols "$columns"
cd /
"$@"
code=$?
printf '\000%s' "$token"
exit $code
"""

# Terminals of ports that are not plugged in cannot be opened.
_TERMINALS = """
for device in /dev/hvc*; do
  { : < "$device"; } 2> /dev/null && echo "$device"
done
exit 0
"""


# crun does not pass a new size on, so the terminal inside of the container is told as well.
_RESIZED = r"""
device=$1
rows=$2
columns=$3
stty -F "$device" rows "$rows" cols "$columns"
for file in /proc/[0-9]*/fd/0; do
  process=${file#/proc/}
  process=${process%/fd/0}
  case $(readlink "$file" 2> /dev/null) in
    /dev/pts/*) ;;
    *) continue ;;
  esac
  read -r _ _ _ parent _ < "/proc/$process/stat"
  [ "$(readlink "/proc/$parent/fd/0")" != "$device" ] ||
    stty -F "/proc/$process/root$(readlink "$file")" rows "$rows" cols "$columns"
done
"""


def streams(token: str, command: Sequence[str], *, has_input: bool) -> list[str]:
    """Return what runs a command with its streams on the ports `out`, `err` and `in` of `token`."""
    words = [token, "yes" if has_input else "no", *command]
    return [BUSYBOX, "sh", "-c", _filled(_STREAMS), "exec", *words]


def terminal(
    token: str, device: str, size: tuple[int, int], term: str, command: Sequence[str]
) -> list[str]:
    """Return what runs a command on a terminal, as the leader of a session of its own."""
    words = [token, device, *map(str, size), term, *command]
    return [BUSYBOX, "setsid", BUSYBOX, "sh", "-c", _filled(_TERMINAL), "exec", *words]


def terminals() -> list[str]:
    """Return what lists the terminals of plugged-in ports, one a line."""
    return [BUSYBOX, "sh", "-c", _TERMINALS]


def resized(device: str, size: tuple[int, int]) -> list[str]:
    """Return what tells a terminal its size."""
    return [BUSYBOX, "sh", "-c", _RESIZED, "resize", device, *map(str, size)]


def _filled(script: str) -> str:
    return script.replace("@NO_PORT@", NO_PORT).replace("@NO_PROGRAM@", NO_PROGRAM)


class MarkerFilter:
    """Passes a stream on until the mark that the shell writes behind it.

    Args:
        token: what was given to the script.
    """

    def __init__(self, token: str) -> None:
        self._mark = b"\0" + token.encode()
        self._held = b""
        self.done = False

    def feed(self, data: bytes) -> bytes:
        """Return what of the stream can be passed on now."""
        if self.done:
            return b""
        data = self._held + data
        before, mark, _ = data.partition(self._mark)
        if mark:
            self.done, self._held = True, b""
            return before
        keep = self._beginning(data)
        self._held = data[len(data) - keep :]
        return data[: len(data) - keep]

    def rest(self) -> bytes:
        """Return what was held back, when no mark will come."""
        held, self._held = self._held, b""
        return held

    def _beginning(self, data: bytes) -> int:
        """Return how many bytes at the end may be the beginning of the mark."""
        for length in range(min(len(self._mark) - 1, len(data)), 0, -1):
            if data.endswith(self._mark[:length]):
                return length
        return 0

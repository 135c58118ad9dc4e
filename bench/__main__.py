"""`python -m bench [NAME …]`: run the benchmarks named, or all of them."""

import importlib
import sys

NAMES = ("s3", "client", "memory", "store", "listing", "boot", "counted", "outputs")


def main() -> None:
    """Run what is asked for; options after one name go to that benchmark."""
    names = [name for name in sys.argv[1:] if name in NAMES]
    options = [argument for argument in sys.argv[1:] if argument not in NAMES]
    if options and len(names) != 1:
        sys.exit(f"usage: python -m bench [{' | '.join(NAMES)}] [options of one benchmark]")
    for name in names or NAMES:
        print(f"## {name}\n")
        importlib.import_module(f"bench.{name}").main(options)
        print()


if __name__ == "__main__":
    main()

"""Run the `ingot` command as `python -m ingot`."""

from ingot.cli.entry import main

if __name__ == "__main__":
    main()

"""Run the `ingot` command as `python -m ingot`."""

from ingot.cli.main import main

if __name__ == "__main__":
    main()

"""``python -m hatsformat``: the command line."""

from hatsformat.cli import main

if __name__ == "__main__":
    main()

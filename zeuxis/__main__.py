"""`python -m zeuxis` is `zeuxis`."""

from zeuxis.cli.main import main

if __name__ == "__main__":
    main()

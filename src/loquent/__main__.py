"""`python -m loquent` is the command line."""

from loquent.commands import main

main()

"""`python -m zirelia.cli`, for where the script is not on the path."""

from zirelia.cli import main

main()

"""`python agent.pyz ...` and `python -m solveyard.agent ...`."""

import sys

from solveyard.agent.entry import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

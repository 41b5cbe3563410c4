"""`make bench-evidence`"""

from benchmarks.parts import main

if __name__ == "__main__":
    main("evidence", "Evidence", ("coverage", "promotion", "judges", "choices", "suites", "release"))
